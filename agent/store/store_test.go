package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
	"github.com/apimeld/agent/schema"
)

// An opener opens a store on a database that is the same at each call of one
// test. The suite below runs on every database that has one.
type opener func(t *testing.T, change func(*Config)) *Store

func sqliteOpener(t *testing.T) opener { return sqliteOpenerAt(filepath.Join(t.TempDir(), "agent.db")) }

func sqliteOpenerAt(path string) opener {
	return func(t *testing.T, change func(*Config)) *Store {
		t.Helper()
		c := Config{Path: path, Source: "default"}
		if change != nil {
			change(&c)
		}
		s, err := Open(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
}

var t0 = time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)

func slotRun(task string, slot time.Time) NewRun {
	return NewRun{TaskID: task, TaskName: "Task " + task, Trigger: run.Schedule, Slot: slot, Due: slot, Attempts: 1, Lease: true, State: run.Queued}
}

func add(t *testing.T, s *Store, runs ...NewRun) []run.Run {
	t.Helper()
	made, err := s.AddRuns(context.Background(), runs)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func finish(t *testing.T, s *Store, id string, state run.State) run.Run {
	t.Helper()
	ended, err := s.Finish(context.Background(), Finish{RunID: id, State: state, Ended: t0.Add(time.Minute), Attempt: &run.Attempt{Number: 1, Started: t0, Ended: t0.Add(time.Minute), State: state}})
	if err != nil {
		t.Fatal(err)
	}
	return ended
}

func TestSQLite(t *testing.T) {
	for name, test := range map[string]func(*testing.T, opener){
		"slots":     testSlots,
		"life":      testLife,
		"leases":    testLeases,
		"find":      testFind,
		"lists":     testLists,
		"log":       testLog,
		"notices":   testNotices,
		"revisions": testRevisions,
		"prune":     testPrune,
		"watch":     testWatch,
		"batch":     testBatch,
		"restart":   testRestart,
		"state":     testState,
		"progress":  testProgress,
		"tell":      testTell,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, sqliteOpener(t))
		})
	}
}

func testSlots(t *testing.T, open opener) {
	s := open(t, nil)
	ctx := context.Background()
	if err := s.Activate(ctx, Activation{Revision: Revision{Commit: "a", State: Active, Live: t0}, Tasks: []TaskSchedule{{"x", "f"}}}); err != nil {
		t.Fatal(err)
	}
	first := add(t, s, slotRun("x", t0.Add(time.Minute)), slotRun("x", t0.Add(2*time.Minute)), slotRun("y", t0.Add(time.Minute)))
	if len(first) != 3 || first[0].Number != 1 || first[1].Number != 2 || first[2].Number != 1 {
		t.Errorf("made %+v", first)
	}
	again := add(t, s, slotRun("x", t0.Add(2*time.Minute)), slotRun("x", t0.Add(3*time.Minute)))
	if len(again) != 1 || again[0].Number != 3 {
		t.Errorf("a slot became a second run: %+v", again)
	}
	considered, err := s.Considered(ctx)
	if err != nil || !considered["x"].Equal(t0.Add(3*time.Minute)) {
		t.Errorf("considered %v, %v", considered, err)
	}
	manual := NewRun{TaskID: "x", Trigger: run.Manual, Due: t0, State: run.Queued, Payload: []byte("p")}
	if made := add(t, s, manual, manual); len(made) != 2 {
		t.Errorf("made %+v of two triggers", made)
	}
}

func testLife(t *testing.T, open opener) {
	s := open(t, nil)
	ctx := context.Background()
	r := add(t, s, slotRun("x", t0))[0]
	attempt := run.Attempt{Number: 1, Started: t0, State: run.Running, PID: 7, PIDStart: 1 << 40}
	if err := s.Started(ctx, Start{RunID: r.ID, Revision: "abc", Attempt: attempt}); err != nil {
		t.Fatal(err)
	}
	code := 3
	attempt.Ended, attempt.State, attempt.ExitCode = t0.Add(time.Second), run.Failure, &code
	if err := s.AttemptEnded(ctx, End{RunID: r.ID, Attempt: attempt}); err != nil {
		t.Fatal(err)
	}
	second := run.Attempt{Number: 2, Started: t0.Add(2 * time.Second), State: run.Running, PID: 8}
	if err := s.Started(ctx, Start{RunID: r.ID, Revision: "later", Attempt: second}); err != nil {
		t.Fatal(err)
	}
	second.Ended, second.State, second.ExitCode = t0.Add(3*time.Second), run.Failure, &code
	var told run.Run
	ended, err := s.Finish(ctx, Finish{RunID: r.ID, State: run.Failure, Ended: t0.Add(3 * time.Second), Attempt: &second,
		Notices: func(r run.Run, _ Before) ([]Notice, error) {
			told = r
			return []Notice{{Webhook: "Ops", RunID: r.ID, Text: "x"}}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Run(ctx, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ended, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(told, got); diff != "" {
		t.Error(diff)
	}
	if got.State != run.Failure || got.Revision != "abc" || !got.Started.Equal(t0) || *got.ExitCode != 3 || got.Attempt != 2 {
		t.Errorf("run %+v", got)
	}
	attempts, err := s.Attempts(ctx, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]run.Attempt{attempt, second}, attempts); diff != "" {
		t.Error(diff)
	}
	if _, err := s.Finish(ctx, Finish{RunID: r.ID, State: run.Success, Ended: t0}); !errors.Is(err, ErrFinal) {
		t.Errorf("ended twice: %v", err)
	}
	if err := s.Started(ctx, Start{RunID: r.ID, Attempt: second}); !errors.Is(err, ErrFinal) {
		t.Errorf("started after its end: %v", err)
	}
	if all, err := s.RunNotices(ctx, r.ID); err != nil || len(all) != 1 {
		t.Errorf("notices %v, %v", all, err)
	}

	// How the task did before is known to the next.
	var before []Before
	for i, state := range []run.State{run.Timeout, run.Cancelled, run.Success, run.Success} {
		r := add(t, s, slotRun("x", t0.Add(time.Duration(i+1)*time.Hour)))[0]
		_, err := s.Finish(ctx, Finish{RunID: r.ID, State: state, Ended: t0, Attempt: &run.Attempt{Number: 1, Started: t0, Ended: t0, State: state},
			Notices: func(_ run.Run, b Before) ([]Notice, error) {
				b.Tell = nil
				before = append(before, b)
				return nil, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []Before{{State: run.Failure, Troubles: 1}, {State: run.Timeout, Troubles: 2}, {State: run.Timeout, Troubles: 2}, {State: run.Success}}
	if diff := cmp.Diff(want, before); diff != "" {
		t.Error(diff)
	}
	counts, err := s.Counts(ctx)
	if diff := cmp.Diff(map[run.State]int64{run.Failure: 1, run.Timeout: 1, run.Cancelled: 1, run.Success: 2}, counts); err != nil || diff != "" {
		t.Error(diff, err)
	}
	skipped := slotRun("z", t0)
	skipped.State, skipped.Notices = run.Skipped, func(r run.Run) []Notice { return []Notice{{Webhook: "Ops", RunID: r.ID}} }
	made := add(t, s, skipped)
	if made[0].Ended.IsZero() {
		t.Error("a skipped run has no end")
	}
	if all, _ := s.RunNotices(ctx, made[0].ID); len(all) != 1 {
		t.Error("nobody is told of a skipped run")
	}
}

func testLeases(t *testing.T, open opener) {
	s := open(t, func(c *Config) { c.Owner = "one" })
	ctx := context.Background()
	n := slotRun("x", t0)
	n.Lease = false
	free, mine := add(t, s, n)[0], add(t, s, slotRun("x", t0.Add(time.Hour)))[0]
	if err := s.Release(ctx, []string{mine.ID}); err != nil {
		t.Fatal(err)
	}
	leased, err := s.Lease(ctx, []string{free.ID, mine.ID})
	if err != nil || len(leased) != 2 {
		t.Errorf("leased %v, %v", leased, err)
	}
	if err := s.Renew(ctx); err != nil {
		t.Error(err)
	}
	other := &Store{Config: s.Config, write: s.write, read: s.read, notify: s.notify}
	other.Owner = "two"
	if leased, err := other.Lease(ctx, []string{free.ID}); err != nil || len(leased) != 0 {
		t.Errorf("leased twice: %v, %v", leased, err)
	}
	if err := other.Started(ctx, Start{RunID: free.ID, Attempt: run.Attempt{Number: 1}}); !errors.Is(err, ErrNotLeased) {
		t.Errorf("started without a lease: %v", err)
	}
	if err := other.TakeOver(ctx, []string{free.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Finish(ctx, Finish{RunID: free.ID, State: run.Success, Ended: t0}); !errors.Is(err, ErrNotLeased) {
		t.Errorf("ended by its late owner: %v", err)
	}
	if _, err := other.Finish(ctx, Finish{RunID: free.ID, State: run.Lost, Ended: t0}); err != nil {
		t.Error(err)
	}
}

func testFind(t *testing.T, open opener) {
	s := open(t, nil)
	ctx := context.Background()
	a := add(t, s, slotRun("x", t0))[0]
	for _, ref := range []string{a.ID, a.ID[:20], a.ID[:35], "x#1"} {
		if got, err := s.FindRun(ctx, ref); err != nil || got.ID != a.ID {
			t.Errorf("FindRun(%q) = %v, %v", ref, got.ID, err)
		}
	}
	add(t, s, slotRun("x", t0.Add(time.Hour)))
	if _, err := s.FindRun(ctx, a.ID[:4]); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("a beginning of two: %v", err)
	}
	for _, ref := range []string{"", "x", "x#", "x#9", "y#1", "ffff", "%", "x#1x", strings.Repeat("0", 36)} {
		if _, err := s.FindRun(ctx, ref); !errors.Is(err, ErrNotFound) {
			t.Errorf("FindRun(%q): %v", ref, err)
		}
	}
}

func testLists(t *testing.T, open opener) {
	s := open(t, nil)
	ctx := context.Background()
	for i := range 7 {
		r := add(t, s, slotRun([]string{"x", "y"}[i%2], t0.Add(time.Duration(i)*time.Minute)))[0]
		if i < 4 {
			finish(t, s, r.ID, run.Success)
		}
	}
	labels := func(f RunFilter) (all []string) {
		for {
			f.Limit = 2
			runs, next, err := s.Runs(ctx, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range runs {
				all = append(all, r.Label())
			}
			if f.Cursor = next; next == "" {
				return all
			}
		}
	}
	for _, tt := range []struct {
		filter RunFilter
		want   []string
	}{
		{RunFilter{}, []string{"x#4", "y#3", "x#3", "y#2", "x#2", "y#1", "x#1"}},
		{RunFilter{TaskID: "x"}, []string{"x#4", "x#3", "x#2", "x#1"}},
		{RunFilter{States: []run.State{run.Success, run.Failure}}, []string{"y#2", "x#2", "y#1", "x#1"}},
		{RunFilter{TaskID: "y", States: []run.State{run.Queued}}, []string{"y#3"}},
		{RunFilter{TaskID: "none"}, nil},
	} {
		if diff := cmp.Diff(tt.want, labels(tt.filter)); diff != "" {
			t.Errorf("%+v: %s", tt.filter, diff)
		}
	}
	if _, _, err := s.Runs(ctx, RunFilter{Page: Page{Cursor: "x'"}}); !errors.Is(err, ErrCursor) {
		t.Errorf("a bad cursor: %v", err)
	}
	last, err := s.LastRuns(ctx, []string{"x", "y", "none"})
	if err != nil || len(last) != 2 || last["x"].Number != 4 || last["y"].Number != 3 {
		t.Errorf("last runs %v, %v", last, err)
	}
}

func testLog(t *testing.T, open opener) {
	s := open(t, nil)
	ctx := context.Background()
	r := add(t, s, slotRun("x", t0))[0]
	chunk := func(attempt, seq int) runlog.Chunk {
		return runlog.Chunk{Attempt: attempt, Seq: seq, FirstLine: int64(seq), FirstByte: int64(10 * seq), Lines: 1, Bytes: 10, Data: []byte(fmt.Sprintf("%d.%d", attempt, seq))}
	}
	for _, c := range [][]runlog.Chunk{{chunk(1, 0), chunk(1, 1)}, {chunk(1, 1), chunk(1, 2)}, {chunk(2, 0)}} {
		if err := s.AppendLog(ctx, r.ID, c, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AppendLog(ctx, r.ID, nil, []runlog.Chunk{{Attempt: 1, Seq: 1}}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Log(ctx, r.ID, LogPosition{}, 1<<20)
	if diff := cmp.Diff([]runlog.Chunk{chunk(1, 0), chunk(1, 2), chunk(2, 0)}, got); err != nil || diff != "" {
		t.Error(diff, err)
	}
	var one []runlog.Chunk
	for at := (LogPosition{}); ; {
		part, err := s.Log(ctx, r.ID, at, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(part) == 0 {
			break
		}
		one = append(one, part...)
		at = LogPosition{part[len(part)-1].Attempt, part[len(part)-1].Seq}
	}
	if diff := cmp.Diff(got, one); diff != "" {
		t.Error("in parts:", diff)
	}
}

func testNotices(t *testing.T, open opener) {
	now := t0
	s := open(t, func(c *Config) { c.Now = func() time.Time { return now } })
	ctx := context.Background()
	ids, err := s.AddNotices(ctx, []Notice{{Webhook: "A", Text: "1"}, {Webhook: "B", Text: "2"}, {Webhook: "A", Text: "3"}})
	if err != nil || len(ids) != 3 {
		t.Fatal(ids, err)
	}
	pending, err := s.PendingWebhooks(ctx)
	if diff := cmp.Diff(map[string]time.Time{"A": t0, "B": t0}, pending); err != nil || diff != "" {
		t.Error(diff, err)
	}
	tried := Delivery{Number: 1, At: t0, Duration: time.Second, Status: 503, Detail: "no"}
	if err := s.Deferred(ctx, ids[0], tried, t0.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	n, ok, err := s.NextNotice(ctx, "A")
	want := Notice{ID: ids[0], Webhook: "A", Text: "1", Created: t0, State: Pending, Next: t0.Add(time.Minute), Expires: t0.Add(24 * time.Hour), Delivery: []Delivery{tried}}
	if diff := cmp.Diff(want, n); !ok || err != nil || diff != "" {
		t.Error("a later notice overtook:", diff, err)
	}
	if err := s.Delivered(ctx, ids[0], Delivery{Number: 2, At: t0, Status: 200}); err != nil {
		t.Fatal(err)
	}
	if err := s.GivenUp(ctx, ids[1], Delivery{Number: 1, At: t0, Status: 404}); err != nil {
		t.Fatal(err)
	}
	if err := s.Delivered(ctx, ids[1], Delivery{Number: 2}); err == nil {
		t.Error("a notice ended twice")
	}
	if n, _, _ := s.NextNotice(ctx, "A"); n.ID != ids[2] {
		t.Errorf("next is %q", n.Text)
	}
	if _, ok, err := s.NextNotice(ctx, "B"); ok || err != nil {
		t.Error("a notice that was given up is pending", err)
	}
	page, next, err := s.Notices(ctx, Page{Limit: 2})
	if err != nil || len(page) != 2 || page[0].ID != ids[2] || next == "" {
		t.Errorf("page %v, %q, %v", page, next, err)
	}
	page, next, err = s.Notices(ctx, Page{Limit: 2, Cursor: next})
	if err != nil || len(page) != 1 || len(page[0].Delivery) != 2 || page[0].State != Delivered || next != "" {
		t.Errorf("page %v, %q, %v", page, next, err)
	}
}

func testRevisions(t *testing.T, open opener) {
	now := t0
	s := open(t, func(c *Config) { c.Now = func() time.Time { return now } })
	ctx := context.Background()
	if _, ok, err := s.ActiveRevision(ctx); ok || err != nil {
		t.Error("a revision is active", err)
	}
	activate := func(commit string, live time.Time, tasks ...TaskSchedule) {
		t.Helper()
		if err := s.Activate(ctx, Activation{Revision: Revision{Commit: commit, State: Active, Seen: live, Live: live, Tasks: len(tasks)}, Tasks: tasks}); err != nil {
			t.Fatal(err)
		}
	}
	activate("a", t0, TaskSchedule{"same", "1"}, TaskSchedule{"changed", "1"}, TaskSchedule{"gone", "1"})
	add(t, s, slotRun("same", t0.Add(time.Minute)))
	activate("b", t0.Add(time.Hour), TaskSchedule{"same", "1"}, TaskSchedule{"changed", "2"}, TaskSchedule{"new", "1"})
	considered, err := s.Considered(ctx)
	want := map[string]time.Time{"same": t0.Add(time.Minute), "changed": t0.Add(time.Hour), "new": t0.Add(time.Hour)}
	if diff := cmp.Diff(want, considered); err != nil || diff != "" {
		t.Error(diff, err)
	}
	bad := Revision{Commit: "c", State: Rejected, Title: "Oops", Seen: t0.Add(2 * time.Hour), Problems: []schema.Problem{{File: "x.yaml", Line: 1, Column: 2, Message: "no"}}}
	for _, want := range []bool{true, false} {
		if first, err := s.RecordRevision(ctx, bad, []Notice{{Webhook: "A"}}); err != nil || first != want {
			t.Errorf("first = %v, %v; want %v", first, err, want)
		}
	}
	if told, _, _ := s.Notices(ctx, Page{}); len(told) != 1 {
		t.Errorf("told %d times", len(told))
	}
	if r, ok, err := s.LastRejected(ctx); !ok || err != nil || r.Commit != "c" || len(r.Problems) != 1 {
		t.Errorf("last rejected %+v, %v", r, err)
	}
	if r, ok, _ := s.ActiveRevision(ctx); !ok || r.Commit != "b" {
		t.Errorf("active %+v", r)
	}
	activate("a", t0.Add(3*time.Hour))
	if _, ok, _ := s.LastRejected(ctx); ok {
		t.Error("a rejected revision counts although a good one is live")
	}
	all, _, err := s.Revisions(ctx, Page{})
	var got []string
	for _, r := range all {
		got = append(got, r.Commit+" "+string(r.State))
	}
	if diff := cmp.Diff([]string{"c rejected", "b superseded", "a active"}, got); err != nil || diff != "" {
		t.Error(diff, err)
	}
}

func testPrune(t *testing.T, open opener) {
	now := t0
	s := open(t, func(c *Config) { c.Now = func() time.Time { return now } })
	ctx := context.Background()
	blob := make([]byte, 100_000)
	for i := range blob {
		blob[i] = byte(i * i >> 3)
	}
	var ids []string
	for i := range 30 {
		r := add(t, s, slotRun("x", t0.Add(time.Duration(i)*time.Minute)))[0]
		if err := s.AppendLog(ctx, r.ID, []runlog.Chunk{{Attempt: 1, Data: blob}}, nil); err != nil {
			t.Fatal(err)
		}
		state := run.Success
		if i == 2 {
			state = run.Failure
		}
		finish(t, s, r.ID, state)
		ids = append(ids, r.ID)
	}
	open1 := add(t, s, slotRun("x", t0.Add(time.Hour)))[0]
	before, _ := s.Size(ctx)
	policy := func(string) Retention { return Retention{Runs: 5, Age: 24 * time.Hour} }
	n, err := s.Prune(ctx, policy, t0.Add(time.Hour))
	if err != nil || n != 25 {
		t.Errorf("pruned %d, %v", n, err)
	}
	after, _ := s.Size(ctx)
	if after > before/2 {
		t.Errorf("the database shrank from %d to %d only", before, after)
	}
	info, err := os.Stat(s.Path)
	if err != nil || info.Size() > before/2 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	runs, _, _ := s.Runs(ctx, RunFilter{})
	var kept []int64
	for _, r := range runs {
		kept = append(kept, r.Number)
	}
	if diff := cmp.Diff([]int64{31, 30, 29, 28, 27, 3}, kept); diff != "" {
		t.Error("kept:", diff)
	}
	for _, ref := range []string{ids[0], ids[0][:30], "x#1"} {
		_, err := s.FindRun(ctx, ref)
		if p, ok := errors.AsType[*PrunedError](err); !ok || p.TaskID != "x" || p.Number != 1 || p.State != run.Success {
			t.Errorf("FindRun(%q): %v", ref, err)
		}
	}
	// Of age all go but the newest success and failure, and what has not ended.
	if _, err := s.Prune(ctx, policy, t0.Add(48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	runs, _, _ = s.Runs(ctx, RunFilter{})
	if len(runs) != 3 || runs[0].ID != open1.ID {
		t.Errorf("kept %v", runs)
	}
	if made := add(t, s, slotRun("x", t0.Add(2*time.Hour))); made[0].Number != 32 {
		t.Errorf("numbers begin anew: %d", made[0].Number)
	}
}

func testWatch(t *testing.T, open opener) {
	s := open(t, nil)
	changes, stop := s.Watch()
	defer stop()
	r := add(t, s, slotRun("x", t0))[0]
	if _, err := s.AddNotices(context.Background(), []Notice{{Webhook: "A"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []Change{{RunID: r.ID}, {Notices: true}} {
		select {
		case got := <-changes:
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no change")
		}
	}
}

// testBatch writes from many goroutines at once, some of it impossible.
func testBatch(t *testing.T, open opener) {
	s := open(t, nil)
	ctx := context.Background()
	var wg sync.WaitGroup
	for g := range 20 {
		wg.Go(func() {
			for i := range 20 {
				made, err := s.AddRuns(ctx, []NewRun{slotRun(fmt.Sprint("t", g), t0.Add(time.Duration(i)*time.Minute)), slotRun("shared", t0.Add(time.Duration(i)*time.Minute))})
				if err != nil || len(made) == 0 {
					t.Errorf("%v, %v", made, err)
					return
				}
				if err := s.Started(ctx, Start{RunID: "none"}); !errors.Is(err, ErrNotFound) {
					t.Errorf("started a run that is not there: %v", err)
				}
				if _, err := s.AddNotices(ctx, []Notice{{ID: "twice", Webhook: "A"}}); err != nil && g == 0 && i == 0 {
					t.Log(err)
				}
			}
		})
	}
	wg.Wait()
	runs, _, err := s.Runs(ctx, RunFilter{Page: Page{Limit: 1000}})
	if err != nil || len(runs) != 20*20+20 {
		t.Errorf("%d runs, %v", len(runs), err)
	}
	if all, _, _ := s.Notices(ctx, Page{}); len(all) != 1 {
		t.Errorf("%d notices of one id", len(all))
	}
}

func testRestart(t *testing.T, open opener) {
	ctx := context.Background()
	s := open(t, nil)
	waiting := slotRun("w", t0)
	waiting.Lease, waiting.Payload = false, []byte("data")
	w, l, g := add(t, s, waiting)[0], add(t, s, slotRun("l", t0.Add(time.Second)))[0], add(t, s, slotRun("g", t0.Add(2*time.Second)))[0]
	attempt := run.Attempt{Number: 1, Started: t0, State: run.Running, PID: 42, PIDStart: 4711}
	if err := s.Started(ctx, Start{RunID: g.ID, Revision: "r", Attempt: attempt}); err != nil {
		t.Fatal(err)
	}
	finish(t, s, add(t, s, slotRun("done", t0))[0].ID, run.Success)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Renew(ctx); err == nil {
		t.Error("a closed store writes")
	}
	s = open(t, nil)
	left, err := s.Unfinished(ctx)
	if err != nil {
		t.Fatal(err)
	}
	g.State, g.Started, g.Attempt, g.Revision = run.Running, t0, 1, "r"
	want := []Unfinished{{Run: w, Payload: []byte("data")}, {Run: l, Leased: true}, {Run: g, Leased: true, Attempt: attempt}}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Error(diff)
	}
}
