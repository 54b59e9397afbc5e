package web

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/config"
)

// A catalog is a snapshot made ready for searching: 100,000 tasks are looked
// through in some milliseconds.
type catalog struct {
	of    *config.Snapshot
	tasks []entry        // by name, then id
	users map[string]int // how many tasks tell each webhook something
}

// An entry is a task with what it is ordered and found by, in lower case.
type entry struct {
	task *config.Task
	key  string // name, NUL, id
	text string // all that a search looks at
}

// catalogs keeps the catalog of the newest snapshot asked for.
type catalogs struct {
	mu   sync.Mutex
	last *catalog
}

// get returns the snapshot's catalog; an empty one when there is no snapshot.
func (c *catalogs) get(s *config.Snapshot) *catalog {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil && c.last.of == s {
		return c.last
	}
	c.last = newCatalog(s)
	return c.last
}

func newCatalog(s *config.Snapshot) *catalog {
	c := &catalog{of: s, users: map[string]int{}}
	if s == nil {
		return c
	}
	c.tasks = make([]entry, len(s.Tasks))
	for i, t := range s.Tasks {
		name := strings.ToLower(t.Name)
		text := name
		if !strings.Contains(name, t.ID) {
			text += "\n" + t.ID
		}
		if t.Description != "" {
			text += "\n" + strings.ToLower(t.Description)
		}
		c.tasks[i] = entry{task: t, key: name + "\x00" + t.ID, text: text}
		told := map[string]bool{}
		for _, n := range t.Notify {
			if !told[n.Webhook] {
				told[n.Webhook] = true
				c.users[n.Webhook]++
			}
		}
	}
	slices.SortFunc(c.tasks, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	return c
}

// A label is one that a task must have: KEY=VALUE, or KEY for any value.
type label struct {
	Key, Value string
	Any        bool
}

func (l label) String() string {
	if l.Any {
		return l.Key
	}
	return l.Key + "=" + l.Value
}

// parseLabels reads labels as addresses carry them.
func parseLabels(values []string) []label {
	var labels []label
	for _, v := range values {
		key, value, ok := strings.Cut(v, "=")
		if !ok {
			key, value, ok = strings.Cut(v, ":")
			value = strings.TrimSpace(value)
		}
		if key = strings.TrimSpace(key); key != "" {
			labels = append(labels, label{key, value, !ok})
		}
	}
	return labels
}

// find returns the tasks that hold every word of text and have every label.
func (c *catalog) find(text string, labels []label) []entry {
	words := strings.Fields(strings.ToLower(text))
	if len(words) == 0 && len(labels) == 0 {
		return c.tasks
	}
	var found []entry
next:
	for _, e := range c.tasks {
		for _, w := range words {
			if !strings.Contains(e.text, w) {
				continue next
			}
		}
		for _, l := range labels {
			value, ok := e.task.Labels.Get(l.Key)
			if !ok || !l.Any && value != l.Value {
				continue next
			}
		}
		found = append(found, e)
	}
	return found
}

// after returns the entries that follow a cursor, which stays good when tasks
// come and go in between.
func after(entries []entry, cursor string) ([]entry, error) {
	if cursor == "" {
		return entries, nil
	}
	key, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, fmt.Errorf("read cursor %q: %w\ntake the one that the page before names as next", cursor, api.ErrInvalid)
	}
	i, found := slices.BinarySearchFunc(entries, string(key), func(e entry, key string) int { return cmp.Compare(e.key, key) })
	if found {
		i++
	}
	return entries[i:], nil
}

func (e entry) cursor() string { return base64.RawURLEncoding.EncodeToString([]byte(e.key)) }

// zone is in which times of a task are shown.
func (h *Handler) zone(taskID string) *time.Location {
	s := h.Agent.Snapshot()
	if t := s.Task(taskID); t != nil && t.Location != nil {
		return t.Location
	}
	return defaultZone(s)
}

// defaultZone is in which times are shown that belong to no task.
func defaultZone(s *config.Snapshot) *time.Location {
	if s != nil && s.Defaults.Location != nil {
		return s.Defaults.Location
	}
	return time.UTC
}
