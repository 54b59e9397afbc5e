package repo

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// quiet is how long nothing must change before a change is told: an
	// editor's save, a checkout or a copy comes as a burst.
	quiet = 150 * time.Millisecond
	// restless is after how long a change is told even if there is no quiet.
	restless = 2 * time.Second
)

// A watcher tells, in one note a burst, that files below its folders changed.
// A nil watcher never tells anything.
type watcher struct {
	log   *slog.Logger
	fs    *fsnotify.Watcher
	wants func(path string) bool // which new folders are to be watched, too
	out   chan struct{}
	done  sync.WaitGroup
}

func newWatcher(log *slog.Logger, wants func(string) bool, dirs ...string) (*watcher, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &watcher{log: log, fs: n, wants: wants, out: make(chan struct{}, 1)}
	for _, dir := range dirs {
		if err := w.add(dir); err != nil {
			_ = n.Close()
			return nil, err
		}
	}
	w.done.Go(w.run)
	return w, nil
}

// add watches a folder and the wanted ones below it.
func (w *watcher) add(dir string) error {
	if err := w.fs.Add(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // it went away while we looked
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.Type()&fs.ModeDir != 0 && w.wants(path) {
			if err := w.add(path); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *watcher) run() {
	var first time.Time
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	for {
		select {
		case e, ok := <-w.fs.Events:
			if !ok {
				return
			}
			if e.Has(fsnotify.Create) {
				// Files that came with a new folder, before it was watched, are
				// found by the look that follows.
				if info, err := os.Lstat(e.Name); err == nil && info.IsDir() && w.wants(e.Name) {
					if err := w.add(e.Name); err != nil {
						w.log.Warn("watch folder", "folder", e.Name, "error", err)
					}
				}
			}
			if e.Op == fsnotify.Chmod || strings.HasSuffix(e.Name, ".lock") {
				continue
			}
			now := time.Now()
			if first.IsZero() {
				first = now
			}
			timer.Reset(max(0, min(quiet, first.Add(restless).Sub(now))))
		case err, ok := <-w.fs.Errors:
			if !ok {
				return
			}
			w.log.Debug("watch folder", "error", err) // an overflow: something changed
			timer.Reset(quiet)
		case <-timer.C:
			first = time.Time{}
			select {
			case w.out <- struct{}{}:
			default: // a note lies there already
			}
		}
	}
}

func (w *watcher) changes() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.out
}

func (w *watcher) close() error {
	if w == nil {
		return nil
	}
	err := w.fs.Close()
	w.done.Wait()
	return err
}
