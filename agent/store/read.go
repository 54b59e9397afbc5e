package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
)

// defaultLimit is how long a page of a list is when nobody says.
const defaultLimit = 50

const runColumns = "id, task, task_name, number, revision, triggered, slot, due, created, started, ended, state, reason, exit_code, attempt, attempts, progress"

// scanRun reads a row that ends with runColumns.
func scanRun(row row, before ...any) (run.Run, error) {
	var r run.Run
	var slot, due, created, started, ended int64
	var progress string
	err := row.Scan(append(before, &r.ID, &r.TaskID, &r.TaskName, &r.Number, &r.Revision, (*string)(&r.Trigger), &slot, &due, &created, &started, &ended,
		(*string)(&r.State), &r.Reason, &r.ExitCode, &r.Attempt, &r.Attempts, &progress)...)
	decode(progress, &r.Progress)
	r.Slot, r.Due, r.Created, r.Started, r.Ended = fromMicros(slot), fromMicros(due), fromMicros(created), fromMicros(started), fromMicros(ended)
	return r, err
}

// Run returns the run with the id; it fails with ErrNotFound or a [*PrunedError].
func (s *Store) Run(ctx context.Context, id string) (run.Run, error) {
	r, err := scanRun(s.read.QueryRowContext(ctx, "SELECT "+runColumns+" FROM runs WHERE id = ? AND source = ?", id, s.Source))
	if !errors.Is(err, sql.ErrNoRows) {
		return r, s.explain(err)
	}
	return run.Run{}, s.gone(ctx, "id = ?", id)
}

// gone explains why a run is not there.
func (s *Store) gone(ctx context.Context, where string, args ...any) error {
	var p PrunedError
	var ended int64
	err := s.read.QueryRowContext(ctx, "SELECT id, task, number, state, ended FROM pruned WHERE source = ? AND "+where+" LIMIT 1", append([]any{s.Source}, args...)...).
		Scan(&p.RunID, &p.TaskID, &p.Number, (*string)(&p.State), &ended)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case err != nil:
		return s.explain(err)
	}
	p.Ended = fromMicros(ended)
	return &p
}

// FindRun returns the run that people mean: an id, a unique beginning of one
// (of 4 characters or more), or TASK#NUMBER. It fails with ErrNotFound,
// ErrAmbiguous or a [*PrunedError].
func (s *Store) FindRun(ctx context.Context, ref string) (run.Run, error) {
	if task, number, ok := strings.Cut(ref, "#"); ok {
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return run.Run{}, ErrNotFound
		}
		r, err := scanRun(s.read.QueryRowContext(ctx, "SELECT "+runColumns+" FROM runs WHERE source = ? AND task = ? AND number = ?", s.Source, task, n))
		if errors.Is(err, sql.ErrNoRows) {
			return run.Run{}, s.gone(ctx, "task = ? AND number = ?", task, n)
		}
		return r, s.explain(err)
	}
	if len(ref) == 36 {
		return s.Run(ctx, ref)
	}
	if len(ref) < 4 || strings.Trim(ref, "0123456789abcdef-") != "" {
		return run.Run{}, ErrNotFound
	}
	// An index on ids holds all that begin with ref side by side; "g" comes after the last.
	rows, err := s.read.QueryContext(ctx, "SELECT "+runColumns+" FROM runs WHERE id >= ? AND id < ? AND source = ? LIMIT 2", ref, ref+"g", s.Source)
	if err != nil {
		return run.Run{}, s.explain(err)
	}
	found, err := collect(rows, func(r row) (run.Run, error) { return scanRun(r) })
	switch {
	case err != nil:
		return run.Run{}, s.explain(err)
	case len(found) > 1:
		return run.Run{}, fmt.Errorf("%q: %w\nwrite more of it", ref, ErrAmbiguous)
	case len(found) == 0:
		return run.Run{}, s.gone(ctx, "id >= ? AND id < ?", ref, ref+"g")
	}
	return found[0], nil
}

// Runs lists runs, newest first, and returns the next page's cursor, empty on the last.
func (s *Store) Runs(ctx context.Context, f RunFilter) ([]run.Run, string, error) {
	limit, before, err := f.bounds()
	if err != nil {
		return nil, "", err
	}
	// Numbers of a task grow as rows do, and their index holds one task's side by side.
	order, where, args := "n", "source = ?", []any{s.Source}
	if f.TaskID != "" {
		order, where, args = "number", where+" AND task = ?", append(args, f.TaskID)
	}
	where, args = where+" AND "+order+" < ?", append(args, before)
	if len(f.States) > 0 {
		where += " AND state IN (?" + strings.Repeat(", ?", len(f.States)-1) + ")"
		for _, state := range f.States {
			args = append(args, string(state))
		}
	}
	rows, err := s.read.QueryContext(ctx, "SELECT "+order+", "+runColumns+" FROM runs WHERE "+where+" ORDER BY "+order+" DESC LIMIT ?", append(args, limit+1)...)
	if err != nil {
		return nil, "", s.explain(err)
	}
	var keys []int64
	runs, err := collect(rows, func(r row) (run.Run, error) {
		var key int64
		one, err := scanRun(r, &key)
		keys = append(keys, key)
		return one, err
	})
	if err != nil {
		return nil, "", s.explain(err)
	}
	if len(runs) <= limit {
		return runs, "", nil
	}
	return runs[:limit], strconv.FormatInt(keys[limit-1], 10), nil
}

// ErrCursor is what a list fails with when its cursor is none of its own.
var ErrCursor = errors.New("unknown cursor")

func (p Page) bounds() (limit int, before int64, err error) {
	limit, before = p.Limit, 1<<62
	if limit <= 0 {
		limit = defaultLimit
	}
	if p.Cursor != "" {
		if before, err = strconv.ParseInt(p.Cursor, 10, 64); err != nil {
			return 0, 0, fmt.Errorf("%q: %w", p.Cursor, ErrCursor)
		}
	}
	return limit, before, nil
}

// LastRuns returns the newest run of each of the tasks that has one.
func (s *Store) LastRuns(ctx context.Context, tasks []string) (map[string]run.Run, error) {
	last := make(map[string]run.Run, len(tasks))
	for _, id := range tasks {
		r, err := scanRun(s.read.QueryRowContext(ctx, "SELECT "+runColumns+" FROM runs WHERE source = ? AND task = ? ORDER BY number DESC LIMIT 1", s.Source, id))
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return nil, s.explain(err)
		default:
			last[id] = r
		}
	}
	return last, nil
}

// Counts is how many runs ended in each final state, ever.
func (s *Store) Counts(ctx context.Context) (map[run.State]int64, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT state, total FROM counts WHERE source = ?", s.Source)
	if err != nil {
		return nil, s.explain(err)
	}
	counts := map[run.State]int64{}
	_, err = collect(rows, func(r row) (struct{}, error) {
		var state string
		var total int64
		err := r.Scan(&state, &total)
		counts[run.State(state)] = total
		return struct{}{}, err
	})
	return counts, s.explain(err)
}

// Attempts lists a run's attempts, first one first.
func (s *Store) Attempts(ctx context.Context, runID string) ([]run.Attempt, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT number, started, ended, state, exit_code, signal, pid, pid_start
		FROM attempts WHERE run = (SELECT n FROM runs WHERE id = ?) ORDER BY number`, runID)
	if err != nil {
		return nil, s.explain(err)
	}
	attempts, err := collect(rows, scanAttempt)
	return attempts, s.explain(err)
}

func scanAttempt(row row) (run.Attempt, error) {
	var a run.Attempt
	var started, ended, pidStart int64
	err := row.Scan(&a.Number, &started, &ended, (*string)(&a.State), &a.ExitCode, &a.Signal, &a.PID, &pidStart)
	a.Started, a.Ended, a.PIDStart = fromMicros(started), fromMicros(ended), uint64(pidStart)
	return a, err
}

// Log returns the chunks after a position, in order, until they hold maxBytes
// of data; one at least when there is any.
func (s *Store) Log(ctx context.Context, runID string, after LogPosition, maxBytes int) ([]runlog.Chunk, error) {
	seq := after.Seq
	if after.Attempt == 0 {
		seq = -1
	}
	rows, err := s.read.QueryContext(ctx, `SELECT attempt, seq, first_line, first_byte, lines, bytes, data FROM logs
		WHERE run = (SELECT n FROM runs WHERE id = ?) AND (attempt, seq) > (?, ?) ORDER BY attempt, seq`, runID, after.Attempt, seq)
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var chunks []runlog.Chunk
	for rows.Next() && maxBytes > 0 {
		var c runlog.Chunk
		if err := rows.Scan(&c.Attempt, &c.Seq, &c.FirstLine, &c.FirstByte, &c.Lines, &c.Bytes, &c.Data); err != nil {
			return nil, s.explain(err)
		}
		chunks = append(chunks, c)
		maxBytes -= len(c.Data)
	}
	return chunks, s.explain(rows.Err())
}

// Unfinished lists the runs that are queued or running, first due first.
func (s *Store) Unfinished(ctx context.Context) ([]Unfinished, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT owner, payload, request, `+runColumns+` FROM runs
		WHERE source = ? AND state IN ('queued', 'running') ORDER BY due, n`, s.Source)
	if err != nil {
		return nil, s.explain(err)
	}
	left, err := collect(rows, func(r row) (u Unfinished, err error) {
		var owner, request string
		u.Run, err = scanRun(r, &owner, &u.Payload, &request)
		decode(request, &u.Request)
		u.Leased = owner != ""
		return u, err
	})
	if err != nil {
		return nil, s.explain(err)
	}
	for i, u := range left {
		if u.Run.Attempt == 0 {
			continue
		}
		attempts, err := s.Attempts(ctx, u.Run.ID)
		if err != nil {
			return nil, err
		}
		if len(attempts) > 0 {
			left[i].Attempt = attempts[len(attempts)-1]
		}
	}
	return left, nil
}

// collect reads all rows and closes them.
func collect[T any](rows *sql.Rows, scan func(row) (T, error)) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
