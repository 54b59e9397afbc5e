package store

import "sync"

// A Change says what has been written.
type Change struct {
	RunID    string // a run or its log has changed; empty when none has
	Notices  bool   // there are new notices
	Revision bool   // another revision is active, or one was rejected
}

// maxBehind is how many changes are kept for a watcher that does not keep up.
const maxBehind = 4096

type watchers struct {
	mu  sync.Mutex
	all map[*watcher]bool
}

// A watcher gets every change in order; when it falls far behind, which runs
// changed is forgotten, and that there is something new is not.
type watcher struct {
	mu      sync.Mutex
	pending []Change
	wake    chan struct{}
	stop    chan struct{}
	out     chan Change
}

func newWatchers() *watchers { return &watchers{all: map[*watcher]bool{}} }

// Watch returns a channel that gets what is written from now on, until stop
// is called.
func (s *Store) Watch() (changes <-chan Change, stop func()) {
	w := &watcher{wake: make(chan struct{}, 1), stop: make(chan struct{}), out: make(chan Change)}
	s.notify.mu.Lock()
	s.notify.all[w] = true
	s.notify.mu.Unlock()
	go w.run()
	return w.out, sync.OnceFunc(func() {
		s.notify.mu.Lock()
		delete(s.notify.all, w)
		s.notify.mu.Unlock()
		close(w.stop)
	})
}

func (w *watcher) run() {
	for {
		select {
		case <-w.stop:
			return
		case <-w.wake:
		}
		w.mu.Lock()
		pending := w.pending
		w.pending = nil
		w.mu.Unlock()
		for _, c := range pending {
			select {
			case w.out <- c:
			case <-w.stop:
				return
			}
		}
	}
}

func (ws *watchers) send(c Change) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.all {
		w.add(c)
	}
}

func (w *watcher) add(c Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch n := len(w.pending); {
	case n > 0 && w.pending[n-1] == c:
		return
	case n >= maxBehind:
		w.pending = append(w.pending[:0], Change{Notices: true, Revision: true})
	}
	w.pending = append(w.pending, c)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (ws *watchers) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	clear(ws.all)
}
