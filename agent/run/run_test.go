package run

import (
	"testing"
	"time"
)

func TestCanBecome(t *testing.T) {
	allowed := map[State][]State{
		Queued:  {Running, Failure, Cancelled, Skipped, Lost},
		Running: {Success, Failure, Timeout, Cancelled, Lost},
	}
	for _, from := range States() {
		want := map[State]bool{}
		for _, to := range allowed[from] {
			want[to] = true
		}
		if from.Final() == (len(want) > 0) {
			t.Errorf("%s: Final() = %v, but it has %d successors", from, from.Final(), len(want))
		}
		for _, to := range States() {
			if got := from.CanBecome(to); got != want[to] {
				t.Errorf("%s.CanBecome(%s) = %v, want %v", from, to, got, want[to])
			}
		}
	}
}

func TestDuration(t *testing.T) {
	start := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		run  Run
		want time.Duration
	}{
		{"not started", Run{}, 0},
		{"going", Run{Started: start}, time.Minute},
		{"ended", Run{Started: start, Ended: start.Add(time.Second)}, time.Second},
		{"clock went back", Run{Started: start.Add(time.Hour)}, 0},
	} {
		if got := tt.run.Duration(start.Add(time.Minute)); got != tt.want {
			t.Errorf("%s: Duration = %v, want %v", tt.name, got, tt.want)
		}
	}
}
