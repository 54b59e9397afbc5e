package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/apimeld/agent/agent/secret"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/notify"
	"github.com/apimeld/agent/notify/mattermost"
)

// The waits between two tries of one notice: doubling from the first to the last.
const (
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// A Sender posts one message to one webhook.
type Sender interface {
	Send(ctx context.Context, webhookURL string, p mattermost.Post) mattermost.Result
}

// A DelivererConfig configures a [Deliverer].
type DelivererConfig struct {
	Store    *store.Store
	Sender   Sender
	Snapshot func() *config.Snapshot
	Secrets  *secret.Sources
	// URL overrides where a webhook's notices go; empty or nil: what its configuration says.
	URL func(webhook string) string
	Log *slog.Logger
	Now func() time.Time // nil: time.Now
}

// A Deliverer empties the outbox: one goroutine a webhook, so that a
// webhook's notices arrive in order and its trouble is its own.
type Deliverer struct {
	DelivererConfig

	mu     sync.Mutex
	queues map[string]chan struct{} // webhook name to its goroutine's wake-up
}

// NewDeliverer returns a deliverer that does nothing until Run.
func NewDeliverer(c DelivererConfig) *Deliverer {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Deliverer{DelivererConfig: c, queues: map[string]chan struct{}{}}
}

// Run delivers notices until ctx ends; it returns when no delivery is under way.
func (d *Deliverer) Run(ctx context.Context) {
	changes, stop := d.Store.Watch()
	defer stop()
	var queues sync.WaitGroup
	defer queues.Wait()
	// A look at all of it now and then costs little, and heals what a lost
	// wake-up or a store that was down for a moment would leave lying.
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		webhooks, err := d.Store.PendingWebhooks(ctx)
		if err != nil && ctx.Err() == nil {
			d.Log.Error("look for notices", "error", err)
		}
		for name := range webhooks {
			d.wake(ctx, &queues, name)
		}
		for again := true; again; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				again = false
			case c := <-changes:
				again = !c.Notices
			}
		}
	}
}

// wake lets a webhook's goroutine look at its queue, and starts it if there is none.
func (d *Deliverer) wake(ctx context.Context, queues *sync.WaitGroup, webhook string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.queues[webhook]
	if !ok {
		c = make(chan struct{}, 1)
		d.queues[webhook] = c
		queues.Go(func() { d.drain(ctx, webhook, c) })
	}
	select {
	case c <- struct{}{}:
	default:
	}
}

// Refresh makes every queue try at once, as after a new snapshot or a changed secret.
func (d *Deliverer) Refresh() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.queues {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// drain delivers one webhook's notices in order.
func (d *Deliverer) drain(ctx context.Context, webhook string, wake <-chan struct{}) {
	for {
		n, ok, err := d.Store.NextNotice(ctx, webhook)
		var pause <-chan time.Time
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			d.Log.Error("read next notice", "webhook", webhook, "error", err)
			pause = time.After(firstRetry)
		case !ok:
		case n.Next.After(d.Now()):
			pause = time.After(n.Next.Sub(d.Now()))
		default:
			if d.deliver(ctx, n) {
				continue
			}
			pause = time.After(firstRetry)
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-pause:
		}
	}
}

// deliver tries one notice once and stores how it went. It reports whether
// the queue may go on at once.
func (d *Deliverer) deliver(ctx context.Context, n store.Notice) bool {
	snap := d.Snapshot()
	if snap == nil {
		return false // which webhooks there are is not known yet
	}
	record := store.Delivery{Number: len(n.Delivery) + 1, At: d.Now()}
	result := d.send(ctx, snap, n)
	if ctx.Err() != nil && result.Verdict != mattermost.Delivered {
		return false // stopped in the middle of it: it is tried again after the start
	}
	record.Duration, record.Status, record.Detail = d.Now().Sub(record.At), result.Status, result.Detail
	// What has been posted must be recorded even while the agent stops.
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var err error
	switch {
	case result.Verdict == mattermost.Delivered:
		record.Detail = ""
		err = d.Store.Delivered(store, n.ID, record)
	case result.Verdict == mattermost.Refused:
		d.Log.Error("notice was refused", "webhook", n.Webhook, "notice", n.ID, "status", result.Status, "detail", result.Detail)
		err = d.Store.GivenUp(store, n.ID, record)
	default:
		next := d.Now().Add(backoff(record.Number, result.RetryAfter))
		if next.After(n.Expires) {
			d.Log.Error("notice is given up", "webhook", n.Webhook, "notice", n.ID, "attempts", record.Number, "detail", result.Detail)
			err = d.Store.GivenUp(store, n.ID, record)
			break
		}
		d.Log.Warn("notice is not delivered yet", "webhook", n.Webhook, "notice", n.ID, "attempt", record.Number, "detail", result.Detail, "next", next.UTC())
		err = d.Store.Deferred(store, n.ID, record, next)
	}
	if err != nil {
		d.Log.Error("record delivery", "notice", n.ID, "error", err)
		return false
	}
	return true
}

// send posts a notice to where its webhook's name leads now.
func (d *Deliverer) send(ctx context.Context, snap *config.Snapshot, n store.Notice) mattermost.Result {
	hook := snap.Webhook(n.Webhook)
	if hook == nil {
		return mattermost.Result{Verdict: mattermost.Refused, Detail: fmt.Sprintf("webhook %q is no longer configured", n.Webhook)}
	}
	address, err := d.address(hook)
	if err != nil {
		return mattermost.Result{Verdict: mattermost.Retry, Detail: err.Error()}
	}
	p := mattermost.Post{Text: n.Text, Channel: hook.Channel, Username: hook.Username}
	if n.Channel != "" {
		p.Channel = n.Channel
	}
	if strings.HasPrefix(hook.Icon, ":") {
		p.IconEmoji = hook.Icon
	} else {
		p.IconURL = hook.Icon
	}
	return d.Sender.Send(ctx, address, p)
}

// address is a webhook's URL at this moment. Its errors never hold any of it.
func (d *Deliverer) address(hook *config.Webhook) (string, error) {
	if d.URL != nil {
		if address := d.URL(hook.Name); address != "" {
			return address, nil
		}
	}
	address, err := config.Expand(hook.URL, d.Secrets.Lookup)
	if err != nil {
		return "", fmt.Errorf("find URL of webhook %q: %w", hook.Name, err)
	}
	address = strings.TrimSpace(address)
	if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("find URL of webhook %q: what its secret holds is not an http or https URL", hook.Name)
	}
	return address, nil
}

// ErrUnknownWebhook is what [Deliverer.Test] fails with.
var ErrUnknownWebhook = errors.New("unknown webhook")

// Test sends the test message of a webhook at once, past the queue.
func (d *Deliverer) Test(ctx context.Context, webhook string) (mattermost.Result, error) {
	snap := d.Snapshot()
	if snap.Webhook(webhook) == nil {
		return mattermost.Result{}, ErrUnknownWebhook
	}
	return d.send(ctx, snap, store.Notice{Webhook: webhook, Text: notify.Test(webhook)}), nil
}

// backoff is the wait after the given number of tries.
func backoff(tries int, asked time.Duration) time.Duration {
	wait := lastRetry
	if tries < 10 {
		wait = min(lastRetry, firstRetry<<(tries-1))
	}
	return max(wait, asked)
}
