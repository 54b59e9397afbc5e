package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apimeld/agent/agent/run"
)

func testState(t *testing.T, open opener) {
	ctx, s := context.Background(), open(t, func(c *Config) { c.Now = func() time.Time { return t0 } })
	if value, err := s.State(ctx, "a", "k"); value != nil || err != nil {
		t.Errorf("before: %s, %v", value, err)
	}
	for _, set := range []struct{ task, key, value string }{{"a", "k", "1"}, {"a", "k", `{"x":2}`}, {"a", "l", `"two"`}, {"b", "k", "3"}} {
		if err := s.SetState(ctx, set.task, set.key, []byte(set.value)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.States(ctx, "a")
	if diff := cmp.Diff([]StateEntry{{"k", []byte(`{"x":2}`), t0}, {"l", []byte(`"two"`), t0}}, all); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if err := errors.Join(s.SetState(ctx, "a", "l", nil), s.SetState(ctx, "a", "never", nil)); err != nil {
		t.Error(err)
	}
	if value, err := s.State(ctx, "a", "l"); value != nil || err != nil {
		t.Errorf("after: %s, %v", value, err)
	}
	large := []byte(`"` + strings.Repeat("x", MaxState/2) + `"`)
	if err := s.SetState(ctx, "a", "large", large); err != nil {
		t.Error(err)
	}
	if err := s.SetState(ctx, "a", "too", large); !errors.Is(err, ErrStateFull) {
		t.Errorf("full: %v", err)
	}
	if err := s.SetState(ctx, "a", "large", large); err != nil {
		t.Errorf("in its own place: %v", err)
	}
}

func testProgress(t *testing.T, open opener) {
	ctx, s := context.Background(), open(t, nil)
	r := add(t, s, slotRun("a", t0))[0]
	if err := s.SetProgress(ctx, r.ID, run.Progress{Done: 1, Total: 4, Text: "part"}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Run(ctx, r.ID); err != nil || got.Progress == nil || *got.Progress != (run.Progress{Done: 1, Total: 4, Text: "part"}) {
		t.Errorf("%+v, %v", got.Progress, err)
	}
	f := Finish{RunID: r.ID, State: run.Success, Ended: t0, Attempt: &run.Attempt{Number: 1, Started: t0, Ended: t0, State: run.Success}, Progress: &run.Progress{Done: 4, Total: 4}}
	if ended, err := s.Finish(ctx, f); err != nil || *ended.Progress != *f.Progress {
		t.Errorf("%+v, %v", ended.Progress, err)
	}
	if err := s.SetProgress(ctx, r.ID, run.Progress{Done: 2, Total: 4}); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Run(ctx, r.ID); got.Progress.Done != 4 {
		t.Error("a late progress overtook the end")
	}
}

func testTell(t *testing.T, open opener) {
	ctx, s := context.Background(), open(t, nil)
	type told struct {
		Tell    bool
		LeftOut int
	}
	var got []told
	for i, at := range []time.Duration{0, 10 * time.Minute, 59 * time.Minute, time.Hour, 2 * time.Hour} {
		r := add(t, s, slotRun("a", t0.Add(time.Duration(i)*time.Minute)))[0]
		_, err := s.Finish(ctx, Finish{RunID: r.ID, State: run.Failure, Ended: t0.Add(at), Attempt: &run.Attempt{Number: 1, Started: t0, Ended: t0.Add(at), State: run.Failure},
			Notices: func(_ run.Run, b Before) ([]Notice, error) {
				tell, leftOut, err := b.Tell("Ops", time.Hour)
				got = append(got, told{tell, leftOut})
				return nil, err
			}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]told{{true, 0}, {false, 0}, {false, 0}, {true, 2}, {true, 0}}, got); diff != "" {
		t.Error(diff)
	}
}
