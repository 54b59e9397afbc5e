package web

import (
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/agent/web/words"
	"github.com/apimeld/agent/config"
)

// The store's and the configuration's things as the API shows them.

func (h *Handler) apiTaskOf(t *config.Task) api.Task {
	d := api.Task{
		ID:             t.ID,
		Name:           t.Name,
		Description:    t.Description,
		Labels:         t.Labels.Map(),
		Enabled:        t.Enabled,
		URL:            h.PublicURL + "/tasks/" + t.ID,
		File:           t.File,
		Line:           t.Line,
		Timezone:       h.zone(t.ID).String(),
		CatchUp:        string(t.CatchUp),
		Overlap:        string(t.Overlap),
		TimeoutSeconds: api.Seconds(t.Timeout),
		Retry:          api.Retry{Attempts: t.Retry.Attempts, DelaySeconds: api.Seconds(t.Retry.Delay)},
		Retention:      api.Retention{Runs: t.Retention.Runs, AgeSeconds: api.Seconds(t.Retention.Age)},
		Language:       t.Language,
		Interpreter:    t.Interpreter,
		ScriptFile:     t.ScriptFile,
		Args:           t.Args,
		Next:           api.Time{Time: h.Agent.Next(t.ID)},
	}
	for _, s := range t.Specs {
		d.Schedules = append(d.Schedules, api.Schedule{Cron: s.Cron, Timezone: s.Timezone, JitterSeconds: api.Seconds(s.Jitter), Words: words.Cron(s.Cron)})
	}
	for _, n := range t.Notify {
		notify := api.Notify{Webhook: n.Webhook, Mention: n.Mention, Repeat: "every"}
		switch {
		case n.Repeat == config.RepeatChanges:
			notify.Repeat = "changes"
		case n.Repeat > 0:
			notify.Repeat = n.Repeat.String()
		}
		for _, e := range n.Events {
			notify.Events = append(notify.Events, string(e))
		}
		d.Notify = append(d.Notify, notify)
	}
	return d
}

func apiNotice(n store.Notice) api.Notice {
	d := api.Notice{
		ID:      n.ID,
		Webhook: n.Webhook,
		Event:   n.Event,
		State:   string(n.State),
		Channel: n.Channel,
		Text:    n.Text,
		Created: api.Time{Time: n.Created},
		Ended:   api.Time{Time: n.Ended},
	}
	if n.State == store.Pending {
		d.Next = api.Time{Time: n.Next}
	}
	for _, one := range n.Delivery {
		d.Deliveries = append(d.Deliveries, api.Delivery{
			Number:          one.Number,
			At:              api.Time{Time: one.At},
			DurationSeconds: api.Seconds(one.Duration),
			Status:          one.Status,
			Detail:          one.Detail,
		})
	}
	return d
}

func apiRevision(r store.Revision) api.Revision {
	return api.Revision{
		Commit:    r.Commit,
		State:     string(r.State),
		Title:     r.Title,
		Author:    r.Author,
		Committed: api.Time{Time: r.Committed},
		Seen:      api.Time{Time: r.Seen},
		Live:      api.Time{Time: r.Live},
		Tasks:     r.Tasks,
		Problems:  r.Problems,
	}
}

func apiWebhook(w *config.Webhook, tasks int) api.Webhook {
	return api.Webhook{Name: w.Name, Channel: w.Channel, Username: w.Username, Icon: w.Icon, Allow: w.Allow, File: w.File, Line: w.Line, Tasks: tasks}
}

func apiTimes(times []time.Time) []api.Time {
	all := make([]api.Time, len(times))
	for i, t := range times {
		all[i] = api.Time{Time: t}
	}
	return all
}
