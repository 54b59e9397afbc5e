// Package mattermost posts messages to incoming webhooks of Mattermost, and of
// whatever takes Slack's payload.
//
// It owns what is sent and how an answer is understood: delivered, to be tried
// again, or refused for good. It does not try again itself. A webhook's URL is
// a password: no result and no error of this package holds any of it.
package mattermost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// requestTimeout bounds one post, the answer included.
	requestTimeout = 30 * time.Second
	// maxAnswer is how much of an answer is looked at.
	maxAnswer = 64 << 10
	// maxRetryAfter bounds what a receiver may ask us to wait.
	maxRetryAfter = time.Hour
)

// A Post is one message as an incoming webhook takes it.
type Post struct {
	Text      string `json:"text"`
	Channel   string `json:"channel,omitempty"`
	Username  string `json:"username,omitempty"`
	IconURL   string `json:"icon_url,omitempty"`
	IconEmoji string `json:"icon_emoji,omitempty"`
}

// A Verdict says what an answer means.
type Verdict int

// The verdicts.
const (
	Retry     Verdict = iota // it may work later
	Delivered                // the receiver has it
	Refused                  // it will never work
)

// A Result is how one post went.
type Result struct {
	Verdict    Verdict
	Status     int           // HTTP status; 0 when there was no answer
	RetryAfter time.Duration // what the receiver asked for; 0 when it did not
	Detail     string        // for people, without any of the URL; empty when delivered
}

// A Config configures a [Sender].
type Config struct {
	Client    *http.Client // nil: one with the system's certificates and proxy variables
	UserAgent string
}

// A Sender posts messages. It is safe for concurrent use.
type Sender struct {
	client    *http.Client
	userAgent string
}

// New returns a sender.
func New(c Config) *Sender {
	client := http.Client{}
	if c.Client != nil {
		client = *c.Client
	}
	client.Timeout = requestTimeout
	// A redirect would turn the post into a GET; where it leads is for people to set.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Sender{client: &client, userAgent: c.UserAgent}
}

// Send posts one message once.
func (s *Sender) Send(ctx context.Context, webhookURL string, p Post) Result {
	if err := CheckURL(webhookURL); err != nil {
		return Result{Verdict: Retry, Detail: err.Error()}
	}
	body, err := json.Marshal(adapt(p, webhookURL))
	if err != nil {
		return Result{Verdict: Refused, Detail: "encode message: " + err.Error()}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, webhookURL, bytes.NewReader(body))
	if err != nil {
		return Result{Verdict: Refused, Detail: Redact(err.Error(), webhookURL)}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", s.userAgent)
	answer, err := s.client.Do(request)
	if err != nil {
		return Result{Verdict: Retry, Detail: Redact(reason(err), webhookURL)}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil && len(text) == 0 {
		return Result{Verdict: Retry, Status: answer.StatusCode, Detail: "read answer: " + Redact(reason(err), webhookURL)}
	}
	r := judge(answer, text)
	r.Status = answer.StatusCode
	r.Detail = Redact(r.Detail, webhookURL)
	return r
}

// reason is an error without the method and URL that net/http puts before it.
func reason(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		if u.Timeout() {
			return "no answer within " + requestTimeout.String()
		}
		err = u.Err
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return "look up host: " + dns.Err
	}
	return err.Error()
}

// judge says what an answer means, as Mattermost's server and what stands
// before it really behave.
func judge(answer *http.Response, body []byte) Result {
	status := answer.StatusCode
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	html := kind == "text/html" || bytes.HasPrefix(bytes.TrimSpace(bytes.ToLower(body[:min(len(body), 256)])), []byte("<!doctype html")) ||
		bytes.HasPrefix(bytes.TrimSpace(body), []byte("<html"))
	said, own := message(body)
	detail := "the receiver answered " + strconv.Itoa(status) + " " + http.StatusText(status)
	if said != "" {
		detail += ": " + said
	}
	switch {
	case status >= 200 && status < 300 && html:
		return Result{Verdict: Retry, Detail: "a web page answered instead of Mattermost: is a login page before it?"}
	case status >= 200 && status < 300:
		return Result{Verdict: Delivered}
	case status >= 300 && status < 400:
		target := ""
		if to, err := answer.Location(); err == nil {
			target = " to " + to.Scheme + "://" + to.Host
		}
		return Result{Verdict: Retry, Detail: fmt.Sprintf("the receiver answered %d and points%s: set the webhook's URL to where it is now", status, target)}
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		return Result{Verdict: Retry, RetryAfter: retryAfter(answer.Header.Get("Retry-After")), Detail: detail}
	case status == http.StatusNotImplemented:
		// Mattermost says so when incoming webhooks are switched off.
		return Result{Verdict: Refused, Detail: detail}
	case status >= 500:
		return Result{Verdict: Retry, RetryAfter: retryAfter(answer.Header.Get("Retry-After")), Detail: detail}
	case (status == http.StatusForbidden || status == http.StatusNotFound) && !own:
		return Result{Verdict: Retry, Detail: detail + ", and not as Mattermost does: something before it has lost it"}
	}
	return Result{Verdict: Refused, Detail: detail}
}

// message is what a receiver says about an error, and whether it is
// Mattermost's own JSON or one of Slack's short words.
func message(body []byte) (text string, own bool) {
	var e struct {
		ID      string `json:"id"`
		Message string `json:"message"`
		Error   string `json:"error"`
	}
	if json.Unmarshal(body, &e) == nil && (e.ID != "" || e.Message != "" || e.Error != "") {
		if e.Message == "" {
			e.Message = e.Error
		}
		return short(e.Message), e.ID != ""
	}
	// Slack answers a word such as no_service or channel_is_archived.
	if word := string(bytes.TrimSpace(body)); len(word) < 60 && word != "" && !strings.ContainsAny(word, " <>\n") {
		return word, strings.Contains(word, "_")
	}
	return "", false
}

func short(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= 300 {
		return text
	}
	end := 300
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// retryAfter reads a header that holds seconds or a date.
func retryAfter(value string) time.Duration {
	if value == "" {
		return 0
	}
	wait := time.Duration(0)
	if n, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(n, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// CheckURL reports whether a value can be a webhook's URL. Its error holds nothing of it.
func CheckURL(webhookURL string) error {
	u, err := url.Parse(webhookURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("the webhook's URL is not an http or https URL")
	}
	return nil
}

// redacted stands in place of what must not be read.
const redacted = "***"

// Redact takes out of a text everything of the webhook's URL that gives access.
func Redact(text, webhookURL string) string {
	parts := []string{webhookURL}
	if u, err := url.Parse(webhookURL); err == nil {
		parts = append(parts, u.RequestURI(), u.Path, u.EscapedPath(), u.RawQuery)
		if password, ok := u.User.Password(); ok {
			parts = append(parts, password)
		}
		for _, segment := range strings.Split(u.Path, "/") {
			// Short segments such as "hooks" are no secret, and stand in plain words.
			if len(segment) >= 8 {
				parts = append(parts, segment, url.PathEscape(segment))
			}
		}
	}
	for _, part := range parts {
		if len(part) > 1 {
			text = strings.ReplaceAll(text, part, redacted)
		}
	}
	return text
}
