package scheduler_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/scheduler"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
)

// A bench is a scheduler over a real store, in a bubble's time that begins on
// 1 January 2000 at midnight UTC.
type bench struct {
	*scheduler.Scheduler
	t      *testing.T
	store  *store.Store
	log    bytes.Buffer
	offset atomic.Int64 // of the wall clock, a time.Duration

	mu     sync.Mutex
	fail   error    // of the next claim
	queued []string // what was handed over, with how long before it is due
}

var midnight = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func newBench(t *testing.T) *bench {
	b := &bench{t: t}
	var err error
	b.store, err = store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "agent.db"), Source: "default", Log: slog.New(slog.DiscardHandler), Now: b.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.store.Close() })
	b.Scheduler = scheduler.New(scheduler.Config{
		Store: b, Enqueue: b.enqueue, Now: b.now,
		Log: slog.New(slog.NewTextHandler(&b.log, nil)),
	})
	return b
}

func (b *bench) now() time.Time { return time.Now().Add(time.Duration(b.offset.Load())) }

// AddRuns claims, unless it is to fail.
func (b *bench) AddRuns(ctx context.Context, runs []store.NewRun) ([]run.Run, error) {
	b.mu.Lock()
	err := b.fail
	b.fail = nil
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return b.store.AddRuns(ctx, runs)
}

func (b *bench) enqueue(runs []run.Run) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range runs {
		b.queued = append(b.queued, fmt.Sprintf("%s %s", r.TaskID, r.Due.UTC().Format("15:04:05")))
		if early := r.Due.Sub(b.now()); early > 2*time.Second {
			b.t.Errorf("%s is claimed %s ahead", r.Label(), early)
		}
	}
}

// take returns what was handed over since it was asked last.
func (b *bench) take() []string {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.queued
	b.queued = nil
	slices.Sort(taken)
	return taken
}

// all are the task's runs as the store has them, oldest first.
func (b *bench) all(task string) []string {
	runs, _, err := b.store.Runs(b.t.Context(), store.RunFilter{TaskID: task, Page: store.Page{Limit: 1000}})
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for _, r := range slices.Backward(runs) {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Slot.UTC().Format("15:04:05"), r.State, r.Reason)))
	}
	slices.Sort(all)
	return all
}

// load reads tasks; each line is an id, a cron expression and more fields.
func load(t *testing.T, lines ...string) *config.Snapshot {
	t.Helper()
	dir := t.TempDir()
	var text strings.Builder
	for _, line := range lines {
		f := strings.SplitN(line, "|", 3)
		fmt.Fprintf(&text, "---\nkind: Task\nname: %s\nschedule: %q\nscript: echo\n", f[0], f[1])
		if len(f) > 2 {
			text.WriteString(f[2] + "\n")
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "tasks.yaml"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	tree, err := config.DirTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	snap, problems, err := config.Load(t.Context(), tree, config.Options{})
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	return snap
}

// bubble runs a test in a bubble, with a scheduler at work.
func bubble(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); b.Run(ctx) }()
		defer func() { stop(); <-done }()
		test(t, b)
	})
}

func equal(t *testing.T, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestClaim(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.Update(load(t, "minutely|* * * * *", "often|@every 20s", "resting|* * * * *|enabled: false"), midnight, nil)
		time.Sleep(58 * time.Second)
		equal(t, []string{"often 00:00:20", "often 00:00:40"}, b.take())
		time.Sleep(time.Second) // a slot is claimed ahead of its time
		equal(t, []string{"minutely 00:01:00", "often 00:01:00"}, b.take())
		time.Sleep(time.Hour)
		if got := len(b.take()); got != 60+180 {
			t.Errorf("%d runs in an hour", got)
		}
		if got := len(b.all("minutely")); got != 61 {
			t.Errorf("%d runs are stored", got)
		}
	})
}

func TestMissed(t *testing.T) {
	const away = "missed while the agent was away"
	for _, tt := range []struct {
		catchUp string
		want    []string
	}{
		{"none", []string{"03:00:00 skipped 3 slots from 2000-01-01 01:00:00 UTC to 2000-01-01 03:00:00 UTC were " + away + " (catchUp: none)"}},
		{"latest", []string{"02:00:00 skipped 2 slots from 2000-01-01 01:00:00 UTC to 2000-01-01 02:00:00 UTC were " + away + " (catchUp: latest)", "03:00:00 queued"}},
		{"all", []string{"01:00:00 queued", "02:00:00 queued", "03:00:00 queued"}},
	} {
		t.Run(tt.catchUp, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bench) {
				time.Sleep(3*time.Hour + time.Minute)
				b.Update(load(t, "hourly|0 * * * *|catchUp: "+tt.catchUp), midnight.Add(time.Hour), map[string]time.Time{"hourly": midnight})
				b.take()
				equal(t, tt.want, b.all("hourly"))
				b.Update(load(t, "hourly|0 * * * *|catchUp: "+tt.catchUp), midnight, map[string]time.Time{"hourly": midnight})
				b.take()
				equal(t, tt.want, b.all("hourly"))
				time.Sleep(time.Hour)
				b.take()
				equal(t, append(tt.want, "04:00:00 queued"), b.all("hourly"))
			})
		})
	}
}

func TestUpdate(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.Update(load(t, "same|* * * * *", "changed|* * * * *", "removed|* * * * *"), midnight, nil)
		time.Sleep(time.Minute)
		equal(t, []string{"changed 00:01:00", "removed 00:01:00", "same 00:01:00"}, b.take())
		time.Sleep(30 * time.Second)
		b.Update(load(t, "same|* * * * *|description: other", "changed|*/2 * * * *", "new|* * * * *"), b.now(), nil)
		time.Sleep(time.Minute)
		equal(t, []string{"changed 00:02:00", "new 00:02:00", "same 00:02:00"}, b.take())
		b.Update(load(t, "same|* * * * *|enabled: false"), b.now(), nil)
		time.Sleep(time.Hour)
		b.Update(load(t, "same|* * * * *"), b.now(), nil) // what it slept through is not caught up
		equal(t, nil, b.take())
		time.Sleep(time.Minute)
		equal(t, []string{"same 01:03:00"}, b.take())
	})
}

func TestClockJumps(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.Update(load(t, "half|*/30 * * * *"), midnight, nil)
		time.Sleep(31 * time.Minute)
		equal(t, []string{"half 00:30:00"}, b.take())
		b.offset.Add(int64(2 * time.Hour)) // a suspend: 02:31
		time.Sleep(time.Minute)
		equal(t, []string{"half 02:30:00"}, b.take())
		b.offset.Add(-int64(2 * time.Hour)) // set back: 00:32
		time.Sleep(time.Hour)
		equal(t, []string{"half 01:00:00", "half 01:30:00"}, b.take())
		time.Sleep(90 * time.Minute) // 02:30 has had its run
		equal(t, []string{"half 03:00:00"}, b.take())
		for _, want := range []string{`msg="the clock jumped" by=2h0m0s`, `msg="the clock jumped" by=-2h0m0s`} {
			if !strings.Contains(b.log.String(), want) {
				t.Errorf("no %s in\n%s", want, &b.log)
			}
		}
	})
}

// TestClockWasWrong starts an agent whose clock was a year ahead the last time.
func TestClockWasWrong(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.Update(load(t, "minutely|* * * * *"), midnight, map[string]time.Time{"minutely": midnight.AddDate(1, 0, 0)})
		time.Sleep(time.Minute)
		equal(t, []string{"minutely 00:01:00"}, b.take())
	})
}

func TestStoreFails(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.Update(load(t, "one|* * * * *", "two|* * * * *", "three|0 * * * *"), midnight, nil)
		b.mu.Lock()
		b.fail = errors.New("disk full")
		b.mu.Unlock()
		time.Sleep(time.Minute)
		equal(t, []string{"one 00:01:00", "two 00:01:00"}, b.take())
		if !strings.Contains(b.log.String(), "disk full") {
			t.Errorf("nothing was logged: %s", &b.log)
		}
	})
}

func TestPause(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.Update(load(t, "minutely|* * * * *"), midnight, nil)
		b.Pause()
		time.Sleep(time.Hour)
		equal(t, nil, b.take())
	})
}
