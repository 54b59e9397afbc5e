package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
	"github.com/apimeld/agent/agent/store"
)

// flushEvery is how old a line may become before it is stored while its run goes on.
const flushEvery = 300 * time.Millisecond

// A flusher stores the logs of running scripts. There is one for all runs, so
// that their lines share the store's transactions.
type flusher struct {
	store *store.Store
	log   *slog.Logger
	done  chan struct{}
	quit  chan struct{}

	mu   sync.Mutex
	jobs map[*job]*runlog.Recorder
}

func newFlusher(ctx context.Context, s *store.Store, log *slog.Logger) *flusher {
	f := &flusher{
		store: s,
		log:   log,
		done:  make(chan struct{}),
		quit:  make(chan struct{}),
		jobs:  map[*job]*runlog.Recorder{},
	}
	go f.run(ctx)
	return f
}

func (f *flusher) watch(j *job, r *runlog.Recorder) {
	f.mu.Lock()
	f.jobs[j] = r
	f.mu.Unlock()
}

func (f *flusher) forget(j *job) {
	f.mu.Lock()
	delete(f.jobs, j)
	f.mu.Unlock()
}

func (f *flusher) stop() {
	close(f.quit)
	<-f.done
}

func (f *flusher) run(ctx context.Context) {
	defer close(f.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-f.quit:
			return
		case <-tick.C:
		}
		f.mu.Lock()
		jobs := make(map[*job]*runlog.Recorder, len(f.jobs))
		for j, r := range f.jobs {
			jobs[j] = r
		}
		f.mu.Unlock()
		var wg sync.WaitGroup
		for j, r := range jobs {
			if r.Waiting() {
				wg.Go(func() { f.flush(ctx, j, r) })
			}
			if p := j.progress.Load(); p != j.shown {
				j.shown = p
				wg.Go(func() { f.progress(ctx, j, *p) })
			}
		}
		wg.Wait()
	}
}

// flush stores what a recorder has. When that fails the chunks go with the
// next flush or with the run's end.
func (f *flusher) flush(ctx context.Context, j *job, r *runlog.Recorder) {
	j.logging.Lock()
	defer j.logging.Unlock()
	chunks, drop := r.Take()
	if len(chunks)+len(drop) == 0 {
		return
	}
	if err := f.store.AppendLog(ctx, j.run.ID, chunks, drop); err != nil {
		r.Untake(chunks, drop)
		f.log.Error("store log", "run", j.run.Label(), "error", err)
	}
}

// progress stores how far a run is. The last one goes with the run's end.
func (f *flusher) progress(ctx context.Context, j *job, p run.Progress) {
	if err := f.store.SetProgress(ctx, j.run.ID, p); err != nil {
		f.log.Error("store progress", "run", j.run.Label(), "error", err)
	}
}
