package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// noticeLife is how long a notice is tried.
const noticeLife = 24 * time.Hour

// AddNotices stores notices, to be delivered in this order, and returns their ids.
func (s *Store) AddNotices(ctx context.Context, notices []Notice) ([]string, error) {
	var ids []string
	err := s.write.do(ctx, func(t *tx) (err error) {
		ids, err = s.addNotices(t, notices)
		return err
	})
	return ids, err
}

func (s *Store) addNotices(t *tx, notices []Notice) ([]string, error) {
	if len(notices) == 0 {
		return nil, nil
	}
	ids := make([]string, len(notices))
	for i, n := range notices {
		if n.ID == "" {
			id, err := uuid.NewV7()
			if err != nil {
				return nil, fmt.Errorf("make id: %w", err)
			}
			n.ID = id.String()
		}
		if n.Created.IsZero() {
			n.Created = s.Now()
		}
		if n.Expires.IsZero() {
			n.Expires = n.Created.Add(noticeLife)
		}
		if n.Next.IsZero() {
			n.Next = n.Created
		}
		err := t.exec(`INSERT INTO notices (source, id, webhook, run, event, text, channel, created, state, next, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?)`,
			s.Source, n.ID, n.Webhook, n.RunID, n.Event, n.Text, n.Channel, micros(n.Created), micros(n.Next), micros(n.Expires))
		if err != nil {
			return nil, fmt.Errorf("store notice to %s: %w", n.Webhook, err)
		}
		ids[i] = n.ID
	}
	t.after = append(t.after, func() { s.notify.send(Change{Notices: true}) })
	return ids, nil
}

const noticeColumns = "id, webhook, run, event, text, channel, created, state, next, ended, expires"

func scanNotice(row row, before ...any) (Notice, error) {
	var n Notice
	var created, next, ended, expires int64
	err := row.Scan(append(before, &n.ID, &n.Webhook, &n.RunID, &n.Event, &n.Text, &n.Channel, &created, (*string)(&n.State), &next, &ended, &expires)...)
	n.Created, n.Next, n.Ended, n.Expires = fromMicros(created), fromMicros(next), fromMicros(ended), fromMicros(expires)
	return n, err
}

// PendingWebhooks returns the webhooks with notices that wait, and when the
// first of each may be tried.
func (s *Store) PendingWebhooks(ctx context.Context) (map[string]time.Time, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT webhook, min(next) FROM notices WHERE source = ? AND state = 'pending' GROUP BY webhook", s.Source)
	if err != nil {
		return nil, s.explain(err)
	}
	pending := map[string]time.Time{}
	_, err = collect(rows, func(r row) (struct{}, error) {
		var webhook string
		var next int64
		err := r.Scan(&webhook, &next)
		pending[webhook] = fromMicros(next)
		return struct{}{}, err
	})
	return pending, s.explain(err)
}

// NextNotice returns the notice that a webhook gets next, due or not.
func (s *Store) NextNotice(ctx context.Context, webhook string) (Notice, bool, error) {
	var key int64
	n, err := scanNotice(s.read.QueryRowContext(ctx, "SELECT n, "+noticeColumns+" FROM notices WHERE source = ? AND webhook = ? AND state = 'pending' ORDER BY n LIMIT 1", s.Source, webhook), &key)
	if errors.Is(err, sql.ErrNoRows) {
		return Notice{}, false, nil
	}
	if err != nil {
		return Notice{}, false, s.explain(err)
	}
	n.Delivery, err = s.deliveries(ctx, key)
	return n, err == nil, err
}

func (s *Store) deliveries(ctx context.Context, notice int64) ([]Delivery, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT number, at, duration, status, detail FROM deliveries WHERE notice = ? ORDER BY number", notice)
	if err != nil {
		return nil, s.explain(err)
	}
	all, err := collect(rows, func(r row) (d Delivery, err error) {
		var at, duration int64
		err = r.Scan(&d.Number, &at, &duration, &d.Status, &d.Detail)
		d.At, d.Duration = fromMicros(at), time.Duration(duration)*time.Microsecond
		return d, err
	})
	return all, s.explain(err)
}

// Delivered records that a notice arrived.
func (s *Store) Delivered(ctx context.Context, id string, d Delivery) error {
	return s.delivery(ctx, id, d, Delivered, time.Time{})
}

// Deferred records that a notice is tried again.
func (s *Store) Deferred(ctx context.Context, id string, d Delivery, next time.Time) error {
	return s.delivery(ctx, id, d, Pending, next)
}

// GivenUp records that a notice will never arrive.
func (s *Store) GivenUp(ctx context.Context, id string, d Delivery) error {
	return s.delivery(ctx, id, d, Failed, time.Time{})
}

func (s *Store) delivery(ctx context.Context, id string, d Delivery, state NoticeState, next time.Time) error {
	var refused error
	err := s.write.do(ctx, func(t *tx) error {
		var n int64
		var runID, was string
		err := t.queryRow("SELECT n, run, state FROM notices WHERE id = ?", id).Scan(&n, &runID, &was)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			refused = ErrNotFound
			return nil
		case err != nil:
			return err
		case NoticeState(was) != Pending:
			refused = fmt.Errorf("notice %s is %s already", id, was)
			return nil
		}
		ended := int64(0)
		if state != Pending {
			ended = micros(s.Now())
		}
		if err := t.exec("UPDATE notices SET state = ?, next = ?, ended = ? WHERE n = ?", string(state), micros(next), ended, n); err != nil {
			return err
		}
		if runID != "" {
			t.after = append(t.after, func() { s.notify.send(Change{RunID: runID}) })
		}
		return t.exec("INSERT INTO deliveries (notice, number, at, duration, status, detail) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			n, d.Number, micros(d.At), d.Duration.Microseconds(), d.Status, d.Detail)
	})
	return errors.Join(err, refused)
}

// RunNotices lists the notices about a run and those that its script sent,
// oldest first, each with its deliveries.
func (s *Store) RunNotices(ctx context.Context, runID string) ([]Notice, error) {
	if runID == "" {
		return nil, nil
	}
	all, _, err := s.notices(ctx, "run = ? AND run <> '' ORDER BY n", runID)
	return all, err
}

// Notices lists all notices, newest first, each with its deliveries.
func (s *Store) Notices(ctx context.Context, p Page) ([]Notice, string, error) {
	limit, before, err := p.bounds()
	if err != nil {
		return nil, "", err
	}
	all, keys, err := s.notices(ctx, "n < ? ORDER BY n DESC LIMIT ?", before, limit+1)
	if err != nil || len(all) <= limit {
		return all, "", err
	}
	return all[:limit], strconv.FormatInt(keys[limit-1], 10), nil
}

func (s *Store) notices(ctx context.Context, where string, args ...any) (all []Notice, keys []int64, err error) {
	rows, err := s.read.QueryContext(ctx, "SELECT n, "+noticeColumns+" FROM notices WHERE source = ? AND "+where, append([]any{s.Source}, args...)...)
	if err != nil {
		return nil, nil, s.explain(err)
	}
	all, err = collect(rows, func(r row) (Notice, error) {
		var key int64
		n, err := scanNotice(r, &key)
		keys = append(keys, key)
		return n, err
	})
	if err != nil {
		return nil, nil, s.explain(err)
	}
	for i := range all {
		if all[i].Delivery, err = s.deliveries(ctx, keys[i]); err != nil {
			return nil, nil, err
		}
	}
	return all, keys, nil
}
