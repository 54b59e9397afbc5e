package web

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/web/markup"
)

const (
	inboxPath = "/inbox/hooks/"
	// kept is how many messages an inbox holds.
	kept = 500
	// maxMessage bounds one message's request, in bytes. Mattermost takes less.
	maxMessage = 1 << 20
)

// An Inbox receives what would go to webhooks and keeps the newest messages
// in memory, for a first try, for demos and for staging. It answers as
// Mattermost does.
type Inbox struct {
	token string

	mu       sync.Mutex
	messages []message // oldest first
	count    int64
	watchers map[chan struct{}]bool
}

// A message is a post as it was received.
type message struct {
	Number   int64
	Webhook  string
	At       time.Time
	Text     string
	Channel  string
	Username string
	Icon     string // an emoji
	IconURL  string
}

// NewInbox returns an empty inbox with addresses that nobody can guess.
func NewInbox() *Inbox {
	return &Inbox{token: strings.ToLower(rand.Text()), watchers: map[chan struct{}]bool{}}
}

// URL is where messages for a webhook are to be posted. base is the address
// of the pages, as this machine reaches them.
func (i *Inbox) URL(base, webhook string) string {
	return strings.TrimSuffix(base, "/") + inboxPath + i.token + "/" + url.PathEscape(webhook)
}

func (i *Inbox) add(m message) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count++
	m.Number = i.count
	if len(i.messages) == kept {
		i.messages = slices.Delete(i.messages, 0, 1)
	}
	i.messages = append(i.messages, m)
	for c := range i.watchers {
		select {
		case c <- struct{}{}:
		default: // it has a note already
		}
	}
}

func (i *Inbox) clear() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.messages = nil
}

// newest returns the messages, newest first.
func (i *Inbox) newest() []message {
	i.mu.Lock()
	defer i.mu.Unlock()
	m := slices.Clone(i.messages)
	slices.Reverse(m)
	return m
}

// watch returns a channel that gets a note when messages have arrived.
func (i *Inbox) watch() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.watchers[c] = true
	return c, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.watchers, c)
	}
}

// receive takes a post as Mattermost's incoming webhooks do.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request) error {
	token := []byte(r.PathValue("token"))
	if subtle.ConstantTimeCompare(token, []byte(h.Inbox.token)) != 1 || !fromHere(r) {
		return fmt.Errorf("%w\nthe inbox takes messages from its own agent only", api.ErrForbidden)
	}
	m, err := readPost(http.MaxBytesReader(w, r.Body, maxMessage), r)
	if err != nil {
		refuse(w, err)
		return nil
	}
	m.Webhook, m.At = r.PathValue("name"), h.Now()
	h.Inbox.add(m)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok"))
	return nil
}

// fromHere reports whether a request comes from this machine.
func fromHere(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// A postError is a post that Mattermost would refuse, in its words.
type postError struct {
	id, message string
	status      int
}

func (e *postError) Error() string { return e.message }

// readPost reads JSON, or a form whose payload is JSON.
func readPost(body interface{ Read([]byte) (int, error) }, r *http.Request) (message, error) {
	var post struct {
		Text        string `json:"text"`
		Channel     string `json:"channel"`
		Username    string `json:"username"`
		IconURL     string `json:"icon_url"`
		IconEmoji   string `json:"icon_emoji"`
		Attachments []struct {
			Fallback, Pretext, Title, Text string
		} `json:"attachments"`
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	d := json.NewDecoder(body)
	if kind == "application/x-www-form-urlencoded" {
		if err := r.ParseForm(); err != nil {
			return message{}, err
		}
		d = json.NewDecoder(strings.NewReader(r.PostForm.Get("payload")))
	}
	if err := d.Decode(&post); err != nil {
		if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return message{}, tooLarge
		}
		return message{}, &postError{"web.incoming_webhook.parse.app_error", "Unable to parse incoming data.", http.StatusBadRequest}
	}
	for _, a := range post.Attachments {
		for _, part := range []string{a.Pretext, a.Title, a.Text} {
			if part != "" {
				post.Text += "\n" + part
			}
		}
	}
	if strings.TrimSpace(post.Text) == "" {
		return message{}, &postError{"web.incoming_webhook.text.app_error", "No text specified.", http.StatusBadRequest}
	}
	m := message{Text: strings.TrimPrefix(post.Text, "\n"), Channel: post.Channel, Username: post.Username, IconURL: post.IconURL, Icon: markup.Emoji(post.IconEmoji)}
	return m, nil
}

// refuse answers with an error as Mattermost's API does.
func refuse(w http.ResponseWriter, err error) {
	e, ok := errors.AsType[*postError](err)
	if !ok {
		e = &postError{"api.context.request_body_too_large.app_error", "The request body is too large.", http.StatusRequestEntityTooLarge}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	_ = json.NewEncoder(w).Encode(map[string]any{"id": e.id, "message": e.message, "detailed_error": "", "request_id": "", "status_code": e.status})
}
