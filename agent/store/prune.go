package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

const (
	// pruneBatch is how many runs go in one transaction: others wait for it.
	pruneBatch = 100
	// vacuumPages is how many free pages are given back in one transaction.
	vacuumPages = 2000
)

// Prune removes the runs that retention does not keep, with their logs and
// notices, and gives their space back. A row is left of each, for old links.
// Runs that have not ended and notices that wait are never touched. It
// returns how many runs it removed.
func (s *Store) Prune(ctx context.Context, policy func(taskID string) Retention, now time.Time) (int, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT task FROM tasks WHERE source = ?", s.Source)
	if err != nil {
		return 0, s.explain(err)
	}
	tasks, err := collect(rows, func(r row) (task string, err error) { return task, r.Scan(&task) })
	if err != nil {
		return 0, s.explain(err)
	}
	total := 0
	for _, task := range tasks {
		for {
			old, err := s.prunable(ctx, task, policy(task), now)
			if err != nil {
				return total, s.explain(err)
			}
			if len(old) == 0 {
				break
			}
			if err := s.write.do(ctx, func(t *tx) error { return s.pruneRuns(t, old) }); err != nil {
				return total, err
			}
			total += len(old)
		}
	}
	if err := s.pruneRest(ctx, now.Add(-policy("").Age)); err != nil {
		return total, err
	}
	return total, s.shrink(ctx)
}

// prunable returns up to a batch of rows of runs that are not to be kept.
func (s *Store) prunable(ctx context.Context, task string, keep Retention, now time.Time) ([]int64, error) {
	const final = "state NOT IN ('queued', 'running')"
	newest := func(states string) (n int64, err error) {
		err = s.read.QueryRowContext(ctx, "SELECT n FROM runs WHERE source = ? AND task = ? AND state IN ("+states+") ORDER BY number DESC LIMIT 1", s.Source, task).Scan(&n)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return n, err
	}
	// Beyond the number that is kept, or too old: both are the oldest ones.
	rows, err := s.read.QueryContext(ctx, `SELECT n FROM (SELECT n, state FROM runs WHERE source = ?1 AND task = ?2 ORDER BY number DESC LIMIT -1 OFFSET ?3) WHERE `+final+`
		UNION SELECT n FROM (SELECT n, state, ended FROM runs WHERE source = ?1 AND task = ?2 ORDER BY number LIMIT ?5) WHERE `+final+` AND ended < ?4 LIMIT ?5`,
		s.Source, task, keep.Runs, micros(now.Add(-keep.Age)), pruneBatch)
	if err != nil {
		return nil, err
	}
	old, err := collect(rows, func(r row) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil || len(old) == 0 {
		return nil, err
	}
	success, err := newest("'success'")
	if err != nil {
		return nil, err
	}
	failure, err := newest("'failure', 'timeout'")
	if err != nil {
		return nil, err
	}
	var gone []int64
	for _, n := range old {
		if n != success && n != failure {
			gone = append(gone, n)
		}
	}
	return gone, nil
}

func (s *Store) pruneRuns(t *tx, rows []int64) error {
	for _, n := range rows {
		for _, query := range []string{
			"INSERT INTO pruned (id, source, task, number, state, ended) SELECT id, source, task, number, state, ended FROM runs WHERE n = ? ON CONFLICT DO NOTHING",
			"DELETE FROM logs WHERE run = ?",
			"DELETE FROM attempts WHERE run = ?",
			"DELETE FROM deliveries WHERE notice IN (SELECT n FROM notices WHERE state <> 'pending' AND run <> '' AND run = (SELECT id FROM runs WHERE n = ?))",
			"DELETE FROM notices WHERE state <> 'pending' AND run <> '' AND run = (SELECT id FROM runs WHERE n = ?)",
			"DELETE FROM runs WHERE n = ?",
		} {
			if err := t.exec(query, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// pruneRest removes what belongs to no run, and is as old.
func (s *Store) pruneRest(ctx context.Context, before time.Time) error {
	at := micros(before)
	return s.write.do(ctx, func(t *tx) error {
		const old = "state <> 'pending' AND source = ? AND created < ? AND (run = '' OR NOT EXISTS (SELECT 1 FROM runs WHERE id = notices.run))"
		if err := t.exec("DELETE FROM deliveries WHERE notice IN (SELECT n FROM notices WHERE "+old+")", s.Source, at); err != nil {
			return err
		}
		if err := t.exec("DELETE FROM notices WHERE "+old, s.Source, at); err != nil {
			return err
		}
		return t.exec("DELETE FROM revisions WHERE state <> 'active' AND source = ? AND seen < ?", s.Source, at)
	})
}

// shrink gives the file's free pages back to the system, in steps.
func (s *Store) shrink(ctx context.Context) error {
	shrunk := false
	for {
		var free int
		if err := s.read.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free); err != nil {
			return s.explain(err)
		}
		// A few are left for what is written next.
		if free < vacuumPages/10 {
			break
		}
		shrunk = true
		if err := s.write.do(ctx, func(t *tx) error { return t.vacuum(min(free, vacuumPages)) }); err != nil {
			return err
		}
	}
	if !shrunk {
		return nil
	}
	return s.write.checkpoint(ctx)
}
