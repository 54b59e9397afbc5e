// Package store keeps everything that must outlive the process, in one
// database: revisions, what schedules have considered, runs with their
// attempts and logs, and the outbox of notices.
//
// It owns the transactions: what must be true together is written together,
// and a method that has returned has been written to the disk. It decides
// nothing about runs beyond which state may follow which, and nobody outside
// knows which database it is.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// A Config configures a [Store].
type Config struct {
	Path   string // of the database's file; its folder must be there
	Source string // whose runs these are; part of every key
	Owner  string // names this agent in leases; empty: a name of its own
	// LeaseFor is how long a lease lasts unless it is renewed; 0: a minute.
	LeaseFor time.Duration
	// Fleeting is a database that goes away with the process: nothing waits for the disk.
	Fleeting bool
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// A Store is an open database. It is safe for concurrent use.
type Store struct {
	Config
	lock   *os.File
	write  *writer
	read   *sql.DB
	notify *watchers
}

// readers is how many pages and requests read at once.
const readers = 4

// Open opens the database and brings it to this version. The file is made if
// it is not there. It fails when another agent has it open.
func Open(ctx context.Context, c Config) (_ *Store, err error) {
	if c.Owner == "" {
		c.Owner = rand.Text()
	}
	if c.LeaseFor <= 0 {
		c.LeaseFor = time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{Config: c, notify: newWatchers()}
	defer func() {
		if err != nil {
			_ = s.Close()
			err = explain(c.Path, err)
		}
	}()
	if s.lock, err = lockFile(c.Path); err != nil {
		return nil, err
	}
	if err := checkFile(c.Path); err != nil {
		return nil, err
	}
	db, err := openDB(c, false)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, db); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("prepare database %s: %w", c.Path, err)
	}
	if s.write, err = newWriter(ctx, c.Path, db); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open database %s: %w", c.Path, err)
	}
	if s.read, err = openDB(c, true); err != nil {
		return nil, err
	}
	return s, nil
}

// Close waits for what is being written and closes the database.
func (s *Store) Close() error {
	var errs []error
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.write != nil {
		errs = append(errs, s.write.close())
	}
	s.notify.close()
	if s.lock != nil {
		errs = append(errs, s.lock.Close()) // and with it the lock
	}
	return errors.Join(errs...)
}

// Ping fails when the database does not answer.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.explain(s.read.QueryRowContext(ctx, "SELECT 1 FROM counts UNION ALL SELECT 1 LIMIT 1").Scan(&one))
}

// Size is how many bytes the database takes on the disk, without its write-ahead log.
func (s *Store) Size(ctx context.Context) (int64, error) {
	var pages, size int64
	err := s.read.QueryRowContext(ctx, "SELECT page_count, page_size FROM pragma_page_count, pragma_page_size").Scan(&pages, &size)
	return pages * size, s.explain(err)
}

func (s *Store) explain(err error) error { return explain(s.Path, err) }

// openDB opens a pool of connections. The writer's has one.
func openDB(c Config, readOnly bool) (*sql.DB, error) {
	abs, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, err
	}
	q := url.Values{"_pragma": {"busy_timeout(10000)", "foreign_keys(1)"}}
	if readOnly {
		q.Set("mode", "ro")
		q.Add("_pragma", "query_only(1)")
	} else {
		// Before the first table, or it has no effect.
		q.Add("_pragma", "auto_vacuum(2)")
		q.Add("_pragma", "journal_mode(wal)")
		synchronous := "synchronous(full)"
		if c.Fleeting {
			synchronous = "synchronous(off)"
		}
		q.Add("_pragma", synchronous)
		q.Add("_pragma", "cache_size(-16000)")
		q.Set("_txlock", "immediate")
	}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", c.Path, err)
	}
	n := 1
	if readOnly {
		n = readers
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// lockFile takes the lock that says that an agent has the database. The
// kernel gives it back when the process ends, however it ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
			return nil, fmt.Errorf("open database %s: this user may not write its folder: %w\ngive it the folder, or name another file with --database", path, err)
		}
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := make([]byte, 32)
		n, _ := f.ReadAt(holder, 0)
		f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock database %s: %w\nis it on a network file system? Put it on a local disk", path, err)
		}
		who := "another agent"
		if pid := strings.TrimSpace(string(holder[:n])); pid != "" {
			who += " (process " + pid + ")"
		}
		return nil, fmt.Errorf("open database %s: %s has it open\nend that one, or name another folder with --state", path, who)
	}
	// For the message above only; without it the lock is as good.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(fmt.Sprintln(os.Getpid())), 0)
	return f, nil
}

// checkFile looks at a file that is there already, before anything is written to it.
func checkFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("open database %s: this user may not write it: %w\ngive it the file and its folder, or name another file with --database", path, err)
	case err != nil:
		return fmt.Errorf("open database %s: %w", path, err)
	}
	return f.Close()
}
