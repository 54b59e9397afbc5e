package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/apimeld/agent/agent/run"
)

// MaxState is how much a task may remember, keys and values together, in bytes.
const MaxState = 1 << 20

// ErrStateFull means that a task would remember more than MaxState.
var ErrStateFull = errors.New("the task's state is full")

// A StateEntry is one thing that a task remembers.
type StateEntry struct {
	Key     string
	Value   []byte // JSON
	Updated time.Time
}

// State returns a task's value of a key; nil when there is none.
func (s *Store) State(ctx context.Context, taskID, key string) ([]byte, error) {
	var value []byte
	err := s.read.QueryRowContext(ctx, "SELECT value FROM states WHERE source = ? AND task = ? AND key = ?", s.Source, taskID, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return value, s.explain(err)
}

// SetState stores a task's value of a key, or takes it away if it is nil. It
// fails with ErrStateFull.
func (s *Store) SetState(ctx context.Context, taskID, key string, value []byte) error {
	var refused error
	err := s.write.do(ctx, func(t *tx) error {
		refused = nil
		if value == nil {
			return t.exec("DELETE FROM states WHERE source = ? AND task = ? AND key = ?", s.Source, taskID, key)
		}
		var others int
		err := t.queryRow("SELECT coalesce(sum(length(key) + length(value)), 0) FROM states WHERE source = ? AND task = ? AND key <> ?", s.Source, taskID, key).Scan(&others)
		if err != nil {
			return err
		}
		if others+len(key)+len(value) > MaxState {
			refused = ErrStateFull
			return nil
		}
		return t.exec(`INSERT INTO states (source, task, key, value, updated) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (source, task, key) DO UPDATE SET value = excluded.value, updated = excluded.updated`,
			s.Source, taskID, key, value, micros(s.Now()))
	})
	return errors.Join(err, refused)
}

// States lists what a task remembers, by key.
func (s *Store) States(ctx context.Context, taskID string) ([]StateEntry, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT key, value, updated FROM states WHERE source = ? AND task = ? ORDER BY key", s.Source, taskID)
	if err != nil {
		return nil, s.explain(err)
	}
	entries, err := collect(rows, func(r row) (e StateEntry, err error) {
		var updated int64
		err = r.Scan(&e.Key, &e.Value, &updated)
		e.Updated = fromMicros(updated)
		return e, err
	})
	return entries, s.explain(err)
}

// SetProgress records how far a run of this agent is.
func (s *Store) SetProgress(ctx context.Context, runID string, p run.Progress) error {
	return s.write.do(ctx, func(t *tx) error {
		t.after = append(t.after, func() { s.notify.send(Change{RunID: runID}) })
		return t.exec("UPDATE runs SET progress = ? WHERE id = ? AND owner = ?", encode(&p), runID, s.Owner)
	})
}

// encode is a value as a column holds it: JSON, or nothing for nil.
func encode[T any](v *T) string {
	if v == nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil { // plain structs of texts and numbers
		panic(err)
	}
	return string(text)
}

// decode reads what encode wrote.
func decode[T any](text string, v **T) {
	if text != "" && json.Unmarshal([]byte(text), v) != nil {
		*v = nil
	}
}
