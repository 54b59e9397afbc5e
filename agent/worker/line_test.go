package worker

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/config"
)

// A queue plays with a line: it keeps jobs by name and tells what became of each.
type queue struct {
	line
	jobs map[string]*job
}

func (q *queue) enter(task, name string, overlap config.Overlap, caughtUp bool) string {
	t := time.Unix(0, 0)
	j := &job{task: &config.Task{ID: task}, turn: make(chan struct{}), run: run.Run{TaskID: task, Trigger: run.Schedule, State: run.Queued, Due: t, Created: t}}
	if caughtUp {
		j.run.Created = t.Add(time.Hour)
	}
	q.jobs[name] = j
	v := q.line.enter(j, overlap)
	return [...]string{"start", "wait", "skip"}[v.kind]
}

// started lists who has a place now.
func (q *queue) started(names ...string) (started []string) {
	for _, name := range names {
		if q.jobs[name].placed {
			started = append(started, name)
		}
	}
	return started
}

func TestLine(t *testing.T) {
	newQueue := func(places int) *queue { return &queue{newLine(places), map[string]*job{}} }
	check := func(t *testing.T, what string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", what, diff)
		}
	}
	t.Run("skip", func(t *testing.T) {
		q := newQueue(4)
		check(t, "first", q.enter("a", "a1", config.OverlapSkip, false), "start")
		check(t, "second", q.enter("a", "a2", config.OverlapSkip, false), "skip")
		check(t, "other task", q.enter("b", "b1", config.OverlapSkip, false), "start")
		q.leave(q.jobs["a1"])
		check(t, "after the end", q.enter("a", "a3", config.OverlapSkip, false), "start")
	})
	t.Run("queue", func(t *testing.T) {
		q := newQueue(4)
		q.enter("a", "a0", config.OverlapQueue, false)
		for i := range config.MaxQueued {
			check(t, "waits", q.enter("a", fmt.Sprint("a", i+1), config.OverlapQueue, false), "wait")
		}
		check(t, "one too many", q.enter("a", "more", config.OverlapQueue, false), "skip")
		check(t, "waiting", q.waiting(), config.MaxQueued)
		q.leave(q.jobs["a2"]) // cancelled while it waits
		q.leave(q.jobs["a0"])
		check(t, "in order", q.started("a1", "a2", "a3"), []string{"a1"})
		q.leave(q.jobs["a1"])
		check(t, "in order", q.started("a3", "a4"), []string{"a3"})
	})
	t.Run("allow and places", func(t *testing.T) {
		q := newQueue(2)
		check(t, "one", q.enter("a", "a1", config.OverlapAllow, false), "start")
		check(t, "two", q.enter("a", "a2", config.OverlapAllow, false), "start")
		check(t, "no place", q.enter("a", "a3", config.OverlapAllow, false), "wait")
		check(t, "behind it", q.enter("b", "b1", config.OverlapSkip, false), "wait")
		q.rest(q.jobs["a1"]) // between two attempts
		check(t, "a place is free", q.started("a3", "b1"), []string{"a3"})
		q.resume(q.jobs["a1"])
		q.leave(q.jobs["a2"])
		check(t, "in order", q.started("b1", "a1"), []string{"b1"})
		q.leave(q.jobs["b1"])
		check(t, "goes on", q.started("a1"), []string{"a1"})
	})
	t.Run("replace", func(t *testing.T) {
		q := newQueue(4)
		replaced := func(name string) (names []string) {
			j := &job{task: &config.Task{ID: "a"}, turn: make(chan struct{}), run: run.Run{TaskID: "a", Trigger: run.Schedule}}
			q.jobs[name] = j
			for _, old := range q.line.enter(j, config.OverlapReplace).replaced {
				for name, one := range q.jobs {
					if one == old {
						names = append(names, name)
					}
				}
			}
			return names
		}
		check(t, "first", replaced("a1"), []string(nil))
		check(t, "second", replaced("a2"), []string{"a1"})
		check(t, "third", replaced("a3"), []string{"a1", "a2"})
		q.leave(q.jobs["a2"])
		check(t, "the first still goes", q.started("a3"), []string(nil))
		q.leave(q.jobs["a1"])
		check(t, "the last starts", q.started("a3"), []string{"a3"})
	})
	t.Run("caught up", func(t *testing.T) {
		q := newQueue(4)
		check(t, "one", q.enter("a", "a1", config.OverlapSkip, true), "start")
		check(t, "two", q.enter("a", "a2", config.OverlapSkip, true), "wait")
		check(t, "on time", q.enter("a", "a3", config.OverlapSkip, false), "skip")
		q.leave(q.jobs["a1"])
		check(t, "follows", q.started("a2"), []string{"a2"})
	})
}

// TestSleep moves the clock on the wall under a run that waits for its jitter.
func TestSleep(t *testing.T) {
	for _, tt := range []struct {
		name   string
		jump   time.Duration
		missed bool
		waits  time.Duration // by the other clock
	}{
		{"steady", 0, false, time.Hour},
		{"suspended for longer", 2 * time.Hour, true, 40 * time.Second},
		{"suspended for a while", 30 * time.Minute, false, 30 * time.Minute},
		{"set back", -time.Hour, false, 2 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var offset atomic.Int64
				w := &Worker{Config: Config{Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }}}
				j := &job{ctx: context.Background(), run: run.Run{Due: time.Now().Add(time.Hour)}}
				began := time.Now()
				time.AfterFunc(35*time.Second, func() { offset.Store(int64(tt.jump)) })
				if missed := w.sleep(j); missed != tt.missed {
					t.Errorf("missed: %t", missed)
				}
				if waited := time.Since(began); waited != tt.waits {
					t.Errorf("waited %s, want %s", waited, tt.waits)
				}
			})
		})
	}
}
