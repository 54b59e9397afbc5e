package config

import (
	"time"

	"github.com/apimeld/agent/agent/schedule"
)

// Due is when the process of a slot should start: the slot plus the task's
// fixed offset below jitter, which is the same on every agent.
func (t *Task) Due(slot time.Time, jitter time.Duration) time.Time {
	if jitter <= 0 {
		return slot
	}
	return slot.Add(schedule.Offset(t.ID, slot, jitter))
}

// NextDue is when the task's schedule starts a process next after the given
// instant; zero when it has no schedule, is disabled or has no slot left.
func (t *Task) NextDue(after time.Time) time.Time {
	if !t.Enabled || t.Fingerprint == "" {
		return time.Time{}
	}
	slot, jitter := t.Schedule.Next(after)
	if slot.IsZero() {
		return time.Time{}
	}
	return t.Due(slot, jitter)
}

// Wants reports whether the task, as it is now, still has the slot.
func (t *Task) Wants(slot time.Time) bool {
	if !t.Enabled || t.Fingerprint == "" {
		return false
	}
	next, _ := t.Schedule.Next(slot.Add(-time.Nanosecond))
	return next.Equal(slot)
}
