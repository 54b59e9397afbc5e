// Package scheduler turns schedules into runs: it claims slots a little ahead
// of their time and hands the runs over.
//
// It decides which slots become runs, also after a time when nobody looked
// (down, suspended, a clock that jumped). It starts nothing, and whether a
// claimed run may start beside another is not its to say.
package scheduler

import (
	"container/heap"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
)

const (
	// ahead is how long before its time a slot is claimed: enough for a
	// transaction on a slow disk and for preparing the process, and short
	// enough that a killed agent leaves few claimed slots behind.
	ahead = 1500 * time.Millisecond
	// missedAfter is how late a slot may be considered and still count as
	// being on time. Beyond it the task's catchUp decides. It allows for a
	// machine that stalls, and not for one that was away.
	missedAfter = 5 * time.Second
	// tick is the longest sleep. A suspended machine does not advance the
	// clock that timers run on, so the wall clock is looked at in between.
	tick = time.Second
	// batch is how many slots are claimed in one transaction.
	batch = 500
	// maxCaughtUp bounds the missed slots of one task that `catchUp: all` runs.
	maxCaughtUp = 10_000
)

// A Claimer makes runs of slots. A slot that has a run already is left out.
type Claimer interface {
	AddRuns(context.Context, []store.NewRun) ([]run.Run, error)
}

// A Config configures a [Scheduler].
type Config struct {
	Store Claimer
	// Enqueue takes claimed runs, which are leased to this agent. It must not block.
	Enqueue func([]run.Run)
	// Skipped makes the notices about slots that were missed; may be nil.
	Skipped func(*config.Task, run.Run) []store.Notice
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// A Scheduler keeps, for each task of the active snapshot, the next slot.
type Scheduler struct {
	store   Claimer
	enqueue func([]run.Run)
	skipped func(*config.Task, run.Run) []store.Notice
	log     *slog.Logger
	now     func() time.Time
	wake    chan struct{}

	claiming sync.Mutex // held from taking slots to handing their runs over

	mu      sync.Mutex
	entries entries
	byID    map[string]*entry
	paused  bool
}

// New returns a scheduler that claims nothing until [Scheduler.Update] and [Scheduler.Run].
func New(c Config) *Scheduler {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Scheduler{
		store:   c.Store,
		enqueue: c.Enqueue,
		skipped: c.Skipped,
		log:     c.Log,
		now:     c.Now,
		wake:    make(chan struct{}, 1),
		byID:    map[string]*entry{},
	}
}

// Update makes the snapshot's schedules the ones that count. A schedule that
// was not there before counts from the last instant considered, as the store
// remembers it over restarts, or else from live, when its snapshot went live.
//
// A task whose schedule is the same as before keeps its place, so that a
// commit that changes others neither delays nor repeats it.
func (s *Scheduler) Update(snap *config.Snapshot, live time.Time, considered map[string]time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	byID := make(map[string]*entry, len(snap.Tasks))
	list := make(entries, 0, len(snap.Tasks))
	for _, t := range snap.Tasks {
		if !t.Enabled || t.Fingerprint == "" {
			continue
		}
		e := s.byID[t.ID]
		if e == nil || e.task.Fingerprint != t.Fingerprint {
			e = &entry{considered: live}
			if at, ok := considered[t.ID]; ok {
				e.considered = at
			}
			e.rewind(now)
			e.slot, e.jitter = t.Schedule.Next(e.considered)
		}
		e.task = t
		byID[t.ID] = e
		if !e.slot.IsZero() {
			e.index = len(list)
			list = append(list, e)
		}
	}
	heap.Init(&list)
	s.byID, s.entries = byID, list
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Pause ends claiming for good, and returns when no claim is under way: what
// comes due from then on is for the next start, and its catchUp.
func (s *Scheduler) Pause() {
	s.claiming.Lock()
	defer s.claiming.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = true
}

// Run claims slots until ctx ends.
func (s *Scheduler) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	clock := newClock(s.now)
	for {
		if jump := clock.jump(); jump != 0 {
			s.log.Warn("the clock jumped", "by", jump.Round(time.Millisecond), "now", s.now().UTC())
			s.rewind()
		}
		next := s.claim(ctx)
		timer.Reset(min(tick, max(0, next)))
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// rewind takes back what was considered of a time that has not come yet after all.
func (s *Scheduler) rewind() {
	s.claiming.Lock()
	defer s.claiming.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, e := range s.byID {
		if e.rewind(now) {
			e.slot, e.jitter = e.task.Schedule.Next(e.considered)
		}
	}
	s.arrange()
}

// claim claims what is due within the time ahead, and returns how long until
// the next slot should be claimed.
func (s *Scheduler) claim(ctx context.Context) time.Duration {
	s.claiming.Lock()
	defer s.claiming.Unlock()
	for {
		now := s.now()
		claims, next := s.due(now)
		if len(claims) == 0 {
			return next
		}
		runs := make([]store.NewRun, len(claims))
		for i, c := range claims {
			runs[i] = c.run
		}
		made, err := s.store.AddRuns(ctx, runs)
		if err != nil {
			if ctx.Err() != nil {
				return tick
			}
			// Nothing was claimed, and nothing is forgotten: the entries go
			// back to where they were, and what is late by then is for catchUp.
			s.log.Error("claim slots", "slots", len(claims), "error", err)
			s.restore(claims)
			return tick
		}
		queued := made[:0:0]
		for _, r := range made {
			if r.State == run.Queued {
				queued = append(queued, r)
			}
		}
		s.enqueue(queued)
	}
}

// A claim is one run to be made, and where its entry stood before.
type claim struct {
	run    store.NewRun
	entry  *entry
	before entry
}

// due takes up to a batch of slots that are to be claimed at now, and
// advances their entries.
func (s *Scheduler) due(now time.Time) (claims []claim, next time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused {
		return nil, tick
	}
	for len(s.entries) > 0 && len(claims) < batch {
		e := s.entries[0]
		if wait := e.slot.Add(-ahead).Sub(now); wait > 0 {
			return claims, wait
		}
		before := *e
		var runs []store.NewRun
		if now.Sub(e.slot) > missedAfter {
			runs = s.missed(e, now)
		} else {
			runs = []store.NewRun{newRun(e.task, e.slot, e.jitter)}
			e.considered = e.slot
		}
		for _, r := range runs {
			claims = append(claims, claim{run: r, entry: e, before: before})
		}
		e.slot, e.jitter = e.task.Schedule.Next(e.considered)
		if e.slot.IsZero() {
			heap.Pop(&s.entries)
		} else {
			heap.Fix(&s.entries, 0)
		}
	}
	if len(s.entries) == 0 {
		return claims, tick
	}
	return claims, s.entries[0].slot.Add(-ahead).Sub(now)
}

// restore puts the entries of claims that did not come about back.
func (s *Scheduler) restore(claims []claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(claims) - 1; i >= 0; i-- {
		c := claims[i]
		if s.byID[c.before.task.ID] != c.entry {
			continue // an Update replaced it meanwhile
		}
		index := c.entry.index
		task := c.entry.task
		*c.entry = c.before
		c.entry.task, c.entry.index = task, index
	}
	s.arrange()
}

// arrange builds the heap anew.
func (s *Scheduler) arrange() {
	list := s.entries[:0]
	for _, e := range s.byID {
		if !e.slot.IsZero() {
			e.index = len(list)
			list = append(list, e)
		}
	}
	s.entries = list
	heap.Init(&s.entries)
}

// newRun is the run of a slot that is claimed in time.
func newRun(t *config.Task, slot time.Time, jitter time.Duration) store.NewRun {
	return store.NewRun{
		TaskID:   t.ID,
		TaskName: t.Name,
		Trigger:  run.Schedule,
		Slot:     slot,
		Due:      t.Due(slot, jitter),
		Attempts: t.Retry.Attempts,
		Lease:    true,
		State:    run.Queued,
	}
}
