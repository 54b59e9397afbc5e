package scheduler

import (
	"fmt"
	"time"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
)

// missed makes the runs for the slots of an entry that passed unseen, as the
// task's catchUp says, and advances what the entry has considered. What does
// not run is told by one skipped run that names the span and the number.
func (s *Scheduler) missed(e *entry, now time.Time) []store.NewRun {
	t := e.task
	// Slots that are late, but not missed, are left for the ordinary way.
	slots, count := t.Schedule.Between(e.considered, now.Add(-missedAfter), maxCaughtUp)
	if count == 0 {
		e.considered = now.Add(-missedAfter)
		return nil
	}
	first, last := slots[0], slots[len(slots)-1]
	e.considered = last
	s.log.Info("slots were missed", "task", t.ID, "slots", count, "first", first, "last", last, "catchUp", t.CatchUp)
	var runs []store.NewRun
	switch t.CatchUp {
	case config.CatchUpAll:
		if left := count - len(slots); left > 0 {
			runs = append(runs, s.skip(t, e.slot, left, e.slot, first))
		}
		for _, slot := range slots {
			runs = append(runs, late(t, slot))
		}
	case config.CatchUpLatest:
		if count > 1 {
			before := slots[len(slots)-2]
			runs = append(runs, s.skip(t, before, count-1, e.slot, before))
		}
		runs = append(runs, late(t, last))
	default:
		runs = append(runs, s.skip(t, last, count, e.slot, last))
	}
	return runs
}

// late is the run of a slot that is caught up: due since then, it starts at once.
func late(t *config.Task, slot time.Time) store.NewRun {
	r := newRun(t, slot, 0)
	r.Due = slot
	return r
}

// skip is a run that is over already and stands for count slots that do not run.
func (s *Scheduler) skip(t *config.Task, slot time.Time, count int, first, last time.Time) store.NewRun {
	const layout = "2006-01-02 15:04:05 MST"
	reason := fmt.Sprintf("missed while the agent was away (catchUp: %s)", t.CatchUp)
	if count > 1 {
		reason = fmt.Sprintf("%d slots from %s to %s were missed while the agent was away (catchUp: %s)",
			count, first.In(t.Location).Format(layout), last.In(t.Location).Format(layout), t.CatchUp)
	}
	r := newRun(t, slot, 0)
	r.Due, r.Lease, r.State, r.Reason = slot, false, run.Skipped, reason
	if s.skipped != nil {
		r.Notices = func(made run.Run) []store.Notice { return s.skipped(t, made) }
	}
	return r
}
