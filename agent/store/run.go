package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
)

// AddRuns makes runs, all in one transaction, and returns them as they are
// then. A slot that has a run already is left out, and counts as considered.
func (s *Store) AddRuns(ctx context.Context, runs []NewRun) ([]run.Run, error) {
	var made []run.Run
	err := s.write.do(ctx, func(t *tx) error {
		made = make([]run.Run, 0, len(runs))
		for _, n := range runs {
			r, ok, err := s.addRun(t, n)
			if err != nil {
				return fmt.Errorf("make run of %s: %w", n.TaskID, err)
			}
			if ok {
				made = append(made, r)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

func (s *Store) addRun(t *tx, n NewRun) (run.Run, bool, error) {
	slot := micros(n.Slot)
	if slot != 0 {
		err := t.exec("UPDATE schedules SET considered = ? WHERE source = ? AND task = ? AND considered < ?", slot, s.Source, n.TaskID, slot)
		if err != nil {
			return run.Run{}, false, err
		}
		var one int
		err = t.queryRow("SELECT 1 FROM runs WHERE source = ? AND task = ? AND slot = ? AND slot <> 0", s.Source, n.TaskID, slot).Scan(&one)
		if err == nil || !errors.Is(err, sql.ErrNoRows) {
			return run.Run{}, false, err
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return run.Run{}, false, fmt.Errorf("make id: %w", err)
	}
	r := run.Run{
		ID:       id.String(),
		TaskID:   n.TaskID,
		TaskName: n.TaskName,
		Trigger:  n.Trigger,
		Slot:     fromMicros(slot),
		Due:      fromMicros(micros(n.Due)),
		Created:  fromMicros(micros(s.Now())),
		State:    n.State,
		Reason:   n.Reason,
		Attempts: max(1, n.Attempts),
	}
	if r.State.Final() {
		r.Ended = r.Created
	}
	err = t.queryRow(`INSERT INTO tasks (source, task, number, last_run, last, troubles) VALUES (?, ?, 1, 0, '', 0)
		ON CONFLICT (source, task) DO UPDATE SET number = number + 1 RETURNING number`, s.Source, n.TaskID).Scan(&r.Number)
	if err != nil {
		return run.Run{}, false, err
	}
	owner, expires := "", int64(0)
	if n.Lease && !r.State.Final() {
		owner, expires = s.Owner, micros(s.Now().Add(s.LeaseFor))
	}
	row, err := t.insert(`INSERT INTO runs (source, id, task, task_name, number, triggered, slot, due, created, ended, state, reason, attempts, payload, request, owner, expires, fence)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.Source, r.ID, r.TaskID, r.TaskName, r.Number, string(r.Trigger), slot, micros(r.Due), micros(r.Created), micros(r.Ended),
		string(r.State), r.Reason, r.Attempts, n.Payload, encode(n.Request), owner, expires, min(1, expires))
	if err != nil {
		return run.Run{}, false, err
	}
	if err := t.exec("UPDATE tasks SET last_run = ? WHERE source = ? AND task = ?", row, s.Source, n.TaskID); err != nil {
		return run.Run{}, false, err
	}
	t.after = append(t.after, func() { s.notify.send(Change{RunID: r.ID}) })
	if r.State.Final() {
		if err := s.count(t, r.State); err != nil {
			return run.Run{}, false, err
		}
	}
	if n.Notices != nil {
		if _, err := s.addNotices(t, n.Notices(r)); err != nil {
			return run.Run{}, false, err
		}
	}
	return r, true, nil
}

func (s *Store) count(t *tx, state run.State) error {
	return t.exec(`INSERT INTO counts (source, state, total) VALUES (?, ?, 1)
		ON CONFLICT (source, state) DO UPDATE SET total = total + 1`, s.Source, string(state))
}

// Lease leases queued runs that nobody has to this agent, and returns the ids of those.
func (s *Store) Lease(ctx context.Context, ids []string) ([]string, error) {
	var leased []string
	err := s.write.do(ctx, func(t *tx) error {
		leased = nil
		for _, id := range ids {
			n, err := t.change(`UPDATE runs SET owner = ?, expires = ?, fence = fence + 1
				WHERE id = ? AND state = 'queued' AND (owner = '' OR owner = ?)`,
				s.Owner, micros(s.Now().Add(s.LeaseFor)), id, s.Owner)
			if err != nil {
				return err
			}
			if n == 1 {
				leased = append(leased, id)
			}
		}
		return nil
	})
	return leased, err
}

// Release gives runs back of which no process has been started.
func (s *Store) Release(ctx context.Context, ids []string) error {
	return s.write.do(ctx, func(t *tx) error {
		for _, id := range ids {
			if err := t.exec("UPDATE runs SET owner = '', expires = 0 WHERE id = ? AND state = 'queued' AND owner = ?", id, s.Owner); err != nil {
				return err
			}
		}
		return nil
	})
}

// Renew keeps all leases of this agent from running out.
func (s *Store) Renew(ctx context.Context) error {
	return s.write.do(ctx, func(t *tx) error {
		return t.exec("UPDATE runs SET expires = ? WHERE source = ? AND owner = ? AND state IN ('queued', 'running')",
			micros(s.Now().Add(s.LeaseFor)), s.Source, s.Owner)
	})
}

// TakeOver makes this agent the owner of runs that an agent before it had.
// The caller knows that that one is gone: it has the database to itself.
func (s *Store) TakeOver(ctx context.Context, ids []string) error {
	return s.write.do(ctx, func(t *tx) error {
		for _, id := range ids {
			err := t.exec("UPDATE runs SET owner = ?, expires = ?, fence = fence + 1 WHERE id = ? AND state IN ('queued', 'running')",
				s.Owner, micros(s.Now().Add(s.LeaseFor)), id)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// held returns a run's row when this agent may change it. The second result
// is for the caller to return: it is no failure of the transaction.
func (s *Store) held(t *tx, id string) (n int64, r run.Run, refused, err error) {
	var owner string
	r, err = scanRun(t.queryRow("SELECT n, owner, "+runColumns+" FROM runs WHERE id = ?", id), &n, &owner)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, r, ErrNotFound, nil
	case err != nil:
		return 0, r, nil, err
	case r.State.Final():
		return n, r, ErrFinal, nil
	case owner != s.Owner && (owner != "" || r.State != run.Queued):
		return n, r, ErrNotLeased, nil
	}
	return n, r, nil, nil
}

// Started records that the process of an attempt exists. It fails with
// ErrNotLeased when the run is another agent's by now.
func (s *Store) Started(ctx context.Context, start Start) error {
	var refused error
	err := s.write.do(ctx, func(t *tx) error {
		n, _, no, err := s.held(t, start.RunID)
		if refused = no; no != nil || err != nil {
			return err
		}
		a := start.Attempt
		err = t.exec(`UPDATE runs SET state = 'running', attempt = ?,
			revision = CASE WHEN revision = '' THEN ? ELSE revision END,
			started = CASE WHEN started = 0 THEN ? ELSE started END WHERE n = ?`,
			a.Number, start.Revision, micros(a.Started), n)
		if err != nil {
			return err
		}
		t.after = append(t.after, func() { s.notify.send(Change{RunID: start.RunID}) })
		return putAttempt(t, n, a)
	})
	return errors.Join(err, refused)
}

// AttemptEnded records the end of an attempt that another follows.
func (s *Store) AttemptEnded(ctx context.Context, end End) error {
	var refused error
	err := s.write.do(ctx, func(t *tx) error {
		n, _, no, err := s.held(t, end.RunID)
		if refused = no; no != nil || err != nil {
			return err
		}
		if err := putChunks(t, n, end.Chunks, nil); err != nil {
			return err
		}
		t.after = append(t.after, func() { s.notify.send(Change{RunID: end.RunID}) })
		return putAttempt(t, n, end.Attempt)
	})
	return errors.Join(err, refused)
}

// Finish records a run's end with everything that belongs to it, and returns
// the run as it ended. It fails with ErrFinal when it had ended before.
func (s *Store) Finish(ctx context.Context, f Finish) (run.Run, error) {
	var ended run.Run
	var refused error
	err := s.write.do(ctx, func(t *tx) error {
		n, r, no, err := s.held(t, f.RunID)
		if refused = no; no != nil || err != nil {
			return err
		}
		if !r.State.CanBecome(f.State) && r.State == run.Queued {
			// The process was so short that its start has not been recorded yet.
			r.State = run.Running
		}
		if !r.State.CanBecome(f.State) {
			refused = fmt.Errorf("end run %s: %s cannot become %s", r.Label(), r.State, f.State)
			return nil
		}
		r.State, r.Reason, r.Ended = f.State, f.Reason, fromMicros(micros(f.Ended))
		if a := f.Attempt; a != nil {
			r.ExitCode, r.Attempt = a.ExitCode, a.Number
			if r.Started.IsZero() {
				r.Started = fromMicros(micros(a.Started))
			}
			if err := putAttempt(t, n, *a); err != nil {
				return err
			}
		}
		if f.Progress != nil {
			r.Progress = f.Progress
		}
		if f.Revision != "" && r.Revision == "" {
			r.Revision = f.Revision
		}
		err = t.exec("UPDATE runs SET state = ?, reason = ?, started = ?, ended = ?, exit_code = ?, attempt = ?, revision = ?, owner = '', expires = 0, progress = ? WHERE n = ?",
			string(r.State), r.Reason, micros(r.Started), micros(r.Ended), r.ExitCode, r.Attempt, r.Revision, encode(r.Progress), n)
		if err != nil {
			return err
		}
		if err := putChunks(t, n, f.Chunks, f.Drop); err != nil {
			return err
		}
		before, err := s.conclude(t, r)
		if err != nil {
			return err
		}
		if f.Notices != nil {
			before.Tell = func(webhook string, span time.Duration) (bool, int, error) {
				return s.tell(t, r.TaskID, webhook, r.Ended, span)
			}
			notices, err := f.Notices(r, before)
			if err != nil {
				return err
			}
			if _, err := s.addNotices(t, notices); err != nil {
				return err
			}
		}
		t.after = append(t.after, func() { s.notify.send(Change{RunID: r.ID}) })
		ended = r
		return s.count(t, r.State)
	})
	return ended, errors.Join(err, refused)
}

// conclude remembers how the task is doing now, and returns how it did before.
func (s *Store) conclude(t *tx, r run.Run) (Before, error) {
	var before Before
	err := t.queryRow("SELECT last, troubles FROM tasks WHERE source = ? AND task = ?", s.Source, r.TaskID).Scan((*string)(&before.State), &before.Troubles)
	if err != nil || !r.State.Conclusive() {
		return before, err
	}
	troubles := 0
	if r.State.Troubled() {
		troubles = before.Troubles + 1
	}
	return before, t.exec("UPDATE tasks SET last = ?, troubles = ? WHERE source = ? AND task = ?", string(r.State), troubles, s.Source, r.TaskID)
}

// tell is [Before].Tell.
func (s *Store) tell(t *tx, taskID, webhook string, now time.Time, span time.Duration) (tell bool, leftOut int, err error) {
	var told int64
	err = t.queryRow("SELECT told, left_out FROM tellings WHERE source = ? AND task = ? AND webhook = ?", s.Source, taskID, webhook).Scan(&told, &leftOut)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, 0, err
	}
	since := now.Sub(fromMicros(told))
	if err == nil && since >= 0 && since < span {
		return false, 0, t.exec("UPDATE tellings SET left_out = left_out + 1 WHERE source = ? AND task = ? AND webhook = ?", s.Source, taskID, webhook)
	}
	return true, leftOut, t.exec(`INSERT INTO tellings (source, task, webhook, told, left_out) VALUES (?, ?, ?, ?, 0)
		ON CONFLICT (source, task, webhook) DO UPDATE SET told = excluded.told, left_out = 0`, s.Source, taskID, webhook, micros(now))
}

func putAttempt(t *tx, n int64, a run.Attempt) error {
	return t.exec(`INSERT INTO attempts (run, number, started, ended, state, exit_code, signal, pid, pid_start) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (run, number) DO UPDATE SET ended = excluded.ended, state = excluded.state, exit_code = excluded.exit_code, signal = excluded.signal
		WHERE ended = 0`,
		n, a.Number, micros(a.Started), micros(a.Ended), string(a.State), a.ExitCode, a.Signal, a.PID, int64(a.PIDStart))
}

// AppendLog adds chunks to a run's log and drops those that are cut out.
// A chunk that is there already is left as it is.
func (s *Store) AppendLog(ctx context.Context, runID string, chunks, drop []runlog.Chunk) error {
	var refused error
	err := s.write.do(ctx, func(t *tx) error {
		n, _, no, err := s.held(t, runID)
		if refused = no; no != nil || err != nil {
			return err
		}
		t.after = append(t.after, func() { s.notify.send(Change{RunID: runID}) })
		return putChunks(t, n, chunks, drop)
	})
	return errors.Join(err, refused)
}

func putChunks(t *tx, n int64, chunks, drop []runlog.Chunk) error {
	for _, c := range chunks {
		err := t.exec("INSERT INTO logs (run, attempt, seq, first_line, first_byte, lines, bytes, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			n, c.Attempt, c.Seq, c.FirstLine, c.FirstByte, c.Lines, c.Bytes, c.Data)
		if err != nil {
			return err
		}
	}
	for _, c := range drop {
		if err := t.exec("DELETE FROM logs WHERE run = ? AND attempt = ? AND seq = ?", n, c.Attempt, c.Seq); err != nil {
			return err
		}
	}
	return nil
}
