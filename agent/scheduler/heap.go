package scheduler

import (
	"time"

	"github.com/apimeld/agent/config"
)

// An entry is one task's place in the order of slots.
type entry struct {
	task       *config.Task
	considered time.Time // the last instant considered
	slot       time.Time // the next slot after it; zero when there is none
	jitter     time.Duration
	index      int
}

// rewind brings back an entry that has considered a time which lies ahead: the
// clock was wrong then, and until it is reached again nothing would be due. A
// slot that has a run already cannot get another, so this repeats none.
func (e *entry) rewind(now time.Time) bool {
	if !e.considered.After(now.Add(missedAfter)) {
		return false
	}
	e.considered = now
	return true
}

// entries is a heap, the earliest slot on top.
type entries []*entry

func (h entries) Len() int           { return len(h) }
func (h entries) Less(i, j int) bool { return h[i].slot.Before(h[j].slot) }
func (h entries) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is part of [heap.Interface]; entries come in by way of [heap.Init] only.
func (h *entries) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}

// Pop is part of [heap.Interface].
func (h *entries) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
