package config

import (
	"reflect"
	"slices"
)

// Changes are the differences between two snapshots, as ids of tasks.
type Changes struct {
	Added   []string
	Changed []string
	Removed []string
}

// Diff compares two snapshots; before may be nil.
func Diff(before, after *Snapshot) Changes {
	var c Changes
	for _, t := range after.Tasks {
		switch old := before.Task(t.ID); {
		case old == nil:
			c.Added = append(c.Added, t.ID)
		case old != t && !same(old, t):
			c.Changed = append(c.Changed, t.ID)
		}
	}
	if before != nil {
		for _, t := range before.Tasks {
			if after.Task(t.ID) == nil {
				c.Removed = append(c.Removed, t.ID)
			}
		}
	}
	return c
}

// same reports whether two tasks do the same. Where they stand does not count.
func same(a, b *Task) bool {
	return a.Name == b.Name &&
		a.Description == b.Description &&
		slices.Equal(a.Labels, b.Labels) &&
		a.Enabled == b.Enabled &&
		slices.Equal(a.Specs, b.Specs) &&
		a.Location.String() == b.Location.String() &&
		a.CatchUp == b.CatchUp &&
		a.Overlap == b.Overlap &&
		a.Timeout == b.Timeout &&
		a.Retry == b.Retry &&
		a.Language == b.Language &&
		a.Interpreter == b.Interpreter &&
		a.Script == b.Script &&
		a.ScriptFile == b.ScriptFile &&
		a.ScriptHash == b.ScriptHash &&
		slices.Equal(a.Args, b.Args) &&
		slices.Equal(a.Env, b.Env) &&
		slices.EqualFunc(a.Notify, b.Notify, func(x, y Notify) bool { return reflect.DeepEqual(x, y) }) &&
		a.Retention == b.Retention
}
