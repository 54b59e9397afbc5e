package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// defaultUsername is whose name Mattermost shows when a post brings none.
const defaultUsername = "webhook"

type inboxData struct {
	Zone     *time.Location
	Messages []inboxRow
	Kept     int
}

type inboxRow struct {
	message
	Letter  string // stands where there is no icon, or until it has come
	Picture string // address of the icon; empty when there is none that may be shown
}

// inboxPage shows the messages as Mattermost would.
func (h *Handler) inboxPage(w http.ResponseWriter, r *http.Request) error {
	d := inboxData{Zone: defaultZone(h.Agent.Snapshot()), Kept: kept}
	var origins []string
	for _, m := range h.Inbox.newest() {
		row := inboxRow{message: m}
		if row.Username == "" {
			row.Username = defaultUsername
		}
		first, _ := utf8.DecodeRuneInString(row.Username)
		row.Letter = strings.ToUpper(string(first))
		if origin := pictureOrigin(m.IconURL); origin != "" {
			row.Picture = m.IconURL
			if !slices.Contains(origins, origin) {
				origins = append(origins, origin)
			}
		}
		d.Messages = append(d.Messages, row)
	}
	if len(origins) > 0 {
		// Only the icons that webhooks have configured, and only on this page.
		w.Header().Set("Content-Security-Policy", strings.Replace(policy, "img-src 'self'", "img-src 'self' "+strings.Join(origins, " "), 1))
	}
	h.render(w, r, http.StatusOK, view{Page: "inbox", Title: "Inbox", Nav: "inbox", Live: "inbox", Data: d})
	return nil
}

// pictureOrigin is the origin of an icon's address as a policy names it;
// empty for one that must not stand in a policy.
func pictureOrigin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Host == "" {
		return ""
	}
	for _, c := range u.Host {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(".-:[]", c) {
			continue
		}
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// clearInbox is the button that empties the inbox.
func (h *Handler) clearInbox(w http.ResponseWriter, r *http.Request) error {
	h.Inbox.clear()
	http.Redirect(w, r, "/inbox", http.StatusSeeOther)
	return nil
}
