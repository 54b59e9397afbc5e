package app

import (
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/notify"
)

// rejected makes the notices about a revision that has problems.
func (a *App) rejected(d config.Defaults, r store.Revision) []store.Notice {
	report := notify.Sync{Revision: r.Commit, Title: r.Title, Author: r.Author, URL: a.publicURL + "/revisions"}
	for _, p := range r.Problems {
		report.Problems = append(report.Problems, notify.SyncProblem{Place: p.String(), Hint: p.Hint})
	}
	return syncNotices(d, notify.RenderRejected(report))
}

// restored makes the notices about the first good revision after a rejected one.
func (a *App) restored(d config.Defaults, r, _ store.Revision) []store.Notice {
	return syncNotices(d, notify.RenderRestored(notify.Sync{Revision: r.Commit, Title: r.Title, Author: r.Author, URL: a.publicURL + "/revisions"}))
}

func syncNotices(d config.Defaults, text string) []store.Notice {
	var notices []store.Notice
	for _, webhook := range d.SyncNotify {
		notices = append(notices, store.Notice{Webhook: webhook, Event: "sync", Text: text})
	}
	return notices
}
