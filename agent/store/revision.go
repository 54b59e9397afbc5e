package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// RecordRevision records a rejected revision with who is told. It reports
// whether that is news; when it is not, nobody is told again.
func (s *Store) RecordRevision(ctx context.Context, r Revision, notices []Notice) (first bool, err error) {
	err = s.write.do(ctx, func(t *tx) error {
		var state string
		err := t.queryRow("SELECT state FROM revisions WHERE source = ? AND commit_id = ?", s.Source, r.Commit).Scan(&state)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		first = RevisionState(state) != r.State
		if err := s.putRevision(t, r); err != nil {
			return err
		}
		t.after = append(t.after, func() { s.notify.send(Change{Revision: true}) })
		if first {
			_, err = s.addNotices(t, notices)
			return err
		}
		return nil
	})
	return first, err
}

func (s *Store) putRevision(t *tx, r Revision) error {
	problems, err := json.Marshal(r.Problems)
	if err != nil {
		return fmt.Errorf("encode problems: %w", err)
	}
	return t.exec(`INSERT INTO revisions (source, commit_id, state, title, author, committed, seen, live, tasks, problems) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (source, commit_id) DO UPDATE SET state = excluded.state, seen = excluded.seen, tasks = excluded.tasks, problems = excluded.problems,
			live = CASE WHEN excluded.live = 0 THEN live ELSE excluded.live END`,
		s.Source, r.Commit, string(r.State), r.Title, r.Author, micros(r.Committed), micros(r.Seen), micros(r.Live), r.Tasks, string(problems))
}

// Activate makes a revision the active one. A schedule that is new or has
// changed counts from the revision's Live; the others go on as they were.
func (s *Store) Activate(ctx context.Context, a Activation) error {
	return s.write.do(ctx, func(t *tx) error {
		var active string
		err := t.queryRow("SELECT commit_id FROM revisions WHERE source = ? AND state = ?", s.Source, string(Active)).Scan(&active)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err := t.exec("UPDATE revisions SET state = ? WHERE source = ? AND state = ? AND commit_id <> ?", string(Superseded), s.Source, string(Active), a.Revision.Commit); err != nil {
			return err
		}
		if err := s.putRevision(t, a.Revision); err != nil {
			return err
		}
		changed, removed := a.Changed, a.Removed
		if a.Since == "" || a.Since != active {
			if changed, removed, err = s.compareSchedules(t, a.Tasks); err != nil {
				return err
			}
		}
		if err := s.putSchedules(t, changed, removed, a.Revision.Live); err != nil {
			return err
		}
		t.after = append(t.after, func() { s.notify.send(Change{Revision: true}) })
		_, err = s.addNotices(t, a.Notices)
		return err
	})
}

// compareSchedules finds how schedules differ from those that are stored.
func (s *Store) compareSchedules(t *tx, tasks []TaskSchedule) (changed []TaskSchedule, removed []string, err error) {
	rows, err := t.query("SELECT task, fingerprint FROM schedules WHERE source = ?", s.Source)
	if err != nil {
		return nil, nil, err
	}
	old := map[string]string{}
	_, err = collect(rows, func(r row) (struct{}, error) {
		var task, fingerprint string
		err := r.Scan(&task, &fingerprint)
		old[task] = fingerprint
		return struct{}{}, err
	})
	if err != nil {
		return nil, nil, err
	}
	for _, one := range tasks {
		if was, ok := old[one.TaskID]; !ok || was != one.Fingerprint {
			changed = append(changed, one)
		}
		delete(old, one.TaskID)
	}
	for task := range old {
		removed = append(removed, task)
	}
	return changed, removed, nil
}

func (s *Store) putSchedules(t *tx, changed []TaskSchedule, removed []string, live time.Time) error {
	for _, one := range changed {
		err := t.exec(`INSERT INTO schedules (source, task, fingerprint, considered) VALUES (?, ?, ?, ?)
			ON CONFLICT (source, task) DO UPDATE SET fingerprint = excluded.fingerprint, considered = excluded.considered`,
			s.Source, one.TaskID, one.Fingerprint, micros(live))
		if err != nil {
			return err
		}
	}
	for _, task := range removed {
		if err := t.exec("DELETE FROM schedules WHERE source = ? AND task = ?", s.Source, task); err != nil {
			return err
		}
	}
	return nil
}

// Considered is, for each schedule of the active revision, the last instant
// that it has been looked at for.
func (s *Store) Considered(ctx context.Context) (map[string]time.Time, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT task, considered FROM schedules WHERE source = ?", s.Source)
	if err != nil {
		return nil, s.explain(err)
	}
	considered := map[string]time.Time{}
	_, err = collect(rows, func(r row) (struct{}, error) {
		var task string
		var at int64
		err := r.Scan(&task, &at)
		considered[task] = fromMicros(at)
		return struct{}{}, err
	})
	return considered, s.explain(err)
}

const revisionColumns = "commit_id, state, title, author, committed, seen, live, tasks, problems"

func scanRevision(row row, before ...any) (Revision, error) {
	var r Revision
	var committed, seen, live int64
	var problems []byte
	err := row.Scan(append(before, &r.Commit, (*string)(&r.State), &r.Title, &r.Author, &committed, &seen, &live, &r.Tasks, &problems)...)
	if err != nil {
		return r, err
	}
	r.Committed, r.Seen, r.Live = fromMicros(committed), fromMicros(seen), fromMicros(live)
	return r, json.Unmarshal(problems, &r.Problems)
}

// ActiveRevision returns the revision that is active, if there is one.
func (s *Store) ActiveRevision(ctx context.Context) (Revision, bool, error) {
	return s.oneRevision(ctx, "state = 'active'")
}

// LastRejected returns the newest revision that was rejected after the active
// one went live, if there is one.
func (s *Store) LastRejected(ctx context.Context) (Revision, bool, error) {
	return s.oneRevision(ctx, "state = 'rejected' AND seen > (SELECT max(live) FROM revisions WHERE source = ?1) ORDER BY seen DESC")
}

func (s *Store) oneRevision(ctx context.Context, where string) (Revision, bool, error) {
	r, err := scanRevision(s.read.QueryRowContext(ctx, "SELECT "+revisionColumns+" FROM revisions WHERE source = ?1 AND "+where+" LIMIT 1", s.Source))
	if errors.Is(err, sql.ErrNoRows) {
		return Revision{}, false, nil
	}
	return r, err == nil, s.explain(err)
}

// Revisions lists revisions, newest first.
func (s *Store) Revisions(ctx context.Context, p Page) ([]Revision, string, error) {
	limit, before, err := p.bounds()
	if err != nil {
		return nil, "", err
	}
	rows, err := s.read.QueryContext(ctx, "SELECT n, "+revisionColumns+" FROM revisions WHERE source = ? AND n < ? ORDER BY n DESC LIMIT ?", s.Source, before, limit+1)
	if err != nil {
		return nil, "", s.explain(err)
	}
	var keys []int64
	all, err := collect(rows, func(r row) (Revision, error) {
		var key int64
		one, err := scanRevision(r, &key)
		keys = append(keys, key)
		return one, err
	})
	if err != nil {
		return nil, "", s.explain(err)
	}
	if len(all) <= limit {
		return all, "", nil
	}
	return all[:limit], strconv.FormatInt(keys[limit-1], 10), nil
}
