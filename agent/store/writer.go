package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"sync"
	"time"
)

// maxBatch is how many writes share one transaction at most.
const maxBatch = 256

// A write is one change to be made, all of it or nothing. It may be called
// twice, after a failure of others in the same transaction.
type write func(*tx) error

type request struct {
	write write
	done  chan error
}

// A writer makes all changes, one transaction at a time: what has come while
// one was being written to the disk goes into the next, together. So many
// small changes cost little more than one.
type writer struct {
	path     string
	db       *sql.DB
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
	requests chan request
	ended    chan struct{}

	mu     sync.RWMutex
	closed bool
}

// A tx is the transaction that a write takes part in.
type tx struct {
	*writer
	after []func() // called when the transaction is on the disk
}

func newWriter(ctx context.Context, path string, db *sql.DB) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{
		path:     path,
		db:       db,
		conn:     conn,
		prepared: map[string]*sql.Stmt{},
		requests: make(chan request, maxBatch),
		ended:    make(chan struct{}),
	}
	go w.run()
	return w, nil
}

// errClosed is what writes after Close fail with.
var errClosed = errors.New("the database is closed")

// do makes one change, and returns when it is on the disk.
func (w *writer) do(ctx context.Context, f write) error {
	r := request{f, make(chan error, 1)}
	w.mu.RLock()
	if w.closed {
		w.mu.RUnlock()
		return errClosed
	}
	select {
	case w.requests <- r:
		w.mu.RUnlock()
	case <-ctx.Done():
		w.mu.RUnlock()
		return ctx.Err()
	}
	// From here on it will be made, whoever still waits.
	return explain(w.path, <-r.done)
}

func (w *writer) close() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.requests)
	}
	w.mu.Unlock()
	<-w.ended
	errs := []error{}
	for _, s := range w.prepared {
		errs = append(errs, s.Close())
	}
	// So that the file alone is all there is, for whoever copies it now.
	_, _ = w.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
	return errors.Join(append(errs, w.conn.Close(), w.db.Close())...)
}

func (w *writer) run() {
	defer close(w.ended)
	batch := make([]request, 0, maxBatch)
	for r := range w.requests {
		batch = append(batch[:0], r)
	gather:
		for len(batch) < maxBatch {
			select {
			case r, ok := <-w.requests:
				if !ok {
					break gather
				}
				batch = append(batch, r)
			default:
				break gather
			}
		}
		w.commit(batch)
	}
}

// commit makes the changes in one transaction; when one of them fails, each in its own.
func (w *writer) commit(batch []request) {
	if len(batch) > 1 {
		if t, err := w.transact(batch); err == nil {
			w.finish(t, batch)
			return
		}
	}
	for i := range batch {
		one := batch[i : i+1]
		t, err := w.transact(one)
		if err != nil {
			one[0].done <- err
			continue
		}
		w.finish(t, one)
	}
}

func (w *writer) finish(t *tx, batch []request) {
	for _, f := range t.after {
		f()
	}
	for _, r := range batch {
		r.done <- nil
	}
}

func (w *writer) transact(batch []request) (*tx, error) {
	t := &tx{writer: w}
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return nil, err
	}
	var err error
	for _, r := range batch {
		if err = r.write(t); err != nil {
			break
		}
	}
	if err == nil {
		err = t.exec("COMMIT")
	}
	if err != nil {
		// A full disk may have rolled it back already.
		_, _ = w.conn.ExecContext(context.Background(), "ROLLBACK")
		return nil, err
	}
	return t, nil
}

// statement prepares a statement once. Writes do not end with the context of
// who asked: a driver that is interrupted in a transaction would take the
// changes of others with it.
func (w *writer) statement(query string) (*sql.Stmt, error) {
	if s := w.prepared[query]; s != nil {
		return s, nil
	}
	s, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	w.prepared[query] = s
	return s, nil
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.change(query, args...)
	return err
}

// change makes a change and returns how many rows it touched.
func (t *tx) change(query string, args ...any) (int64, error) {
	s, err := t.statement(query)
	if err != nil {
		return 0, err
	}
	result, err := s.Exec(args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// insert makes a row and returns its number.
func (t *tx) insert(query string, args ...any) (int64, error) {
	s, err := t.statement(query)
	if err != nil {
		return 0, err
	}
	result, err := s.Exec(args...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

func (t *tx) queryRow(query string, args ...any) row {
	s, err := t.statement(query)
	if err != nil {
		return failedRow{err}
	}
	return s.QueryRow(args...)
}

func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	s, err := t.statement(query)
	if err != nil {
		return nil, err
	}
	return s.Query(args...)
}

type row interface{ Scan(...any) error }

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

// micros is how times are stored.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// vacuum gives free pages back. A pragma of rows must be read to its end.
func (t *tx) vacuum(pages int) error {
	rows, err := t.conn.QueryContext(context.Background(), "PRAGMA incremental_vacuum("+strconv.Itoa(pages)+")")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// checkpoint moves the write-ahead log into the file, which shrinks only then.
func (w *writer) checkpoint(ctx context.Context) error {
	return w.do(ctx, func(t *tx) error {
		t.after = append(t.after, func() {
			// A reader may be in its way; the next one does it then.
			_, _ = w.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
		})
		return nil
	})
}
