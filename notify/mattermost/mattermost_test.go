package mattermost_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apimeld/agent/notify/mattermost"
)

const hookID = "xyzzy7secretsecretsecret01"

func TestSend(t *testing.T) {
	var got map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.UserAgent() != "test" {
			t.Errorf("%s %s %s", r.Method, r.Header.Get("Content-Type"), r.UserAgent())
		}
		_ = json.NewDecoder(r.Body).Decode(&got)
		_, _ = io.WriteString(w, "ok")
	}))
	defer server.Close()
	s := mattermost.New(mattermost.Config{UserAgent: "test"})
	r := s.Send(context.Background(), server.URL+"/hooks/"+hookID, mattermost.Post{Text: "hi", Channel: "ops"})
	if r.Verdict != mattermost.Delivered || r.Status != 200 || r.Detail != "" {
		t.Errorf("result %+v", r)
	}
	if diff := cmp.Diff(map[string]any{"text": "hi", "channel": "ops"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestVerdicts plays the answers of Mattermost's server and of what stands before it.
func TestVerdicts(t *testing.T) {
	const own = `{"id":"web.incoming_webhook.invalid.app_error","message":"Invalid webhook ` + hookID + `","status_code":400}`
	for _, tt := range []struct {
		name    string
		status  int
		header  map[string]string
		body    string
		verdict mattermost.Verdict
		after   time.Duration
		detail  string
	}{
		{name: "ok", status: 200, body: "ok", verdict: mattermost.Delivered},
		{name: "no content", status: 204, verdict: mattermost.Delivered},
		{name: "login page", status: 200, header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, body: "<!DOCTYPE html>", detail: "login page"},
		{name: "login page without a type", status: 200, header: map[string]string{"Content-Type": "application/octet-stream"}, body: "\n<!doctype HTML><p>", detail: "login page"},
		{name: "redirect", status: 302, header: map[string]string{"Location": "https://login.example.com/" + hookID}, detail: "https://login.example.com:"},
		{name: "bad request", status: 400, body: own, verdict: mattermost.Refused, detail: "Invalid webhook ***"},
		{name: "unauthorized", status: 401, body: own, verdict: mattermost.Refused},
		{name: "forbidden", status: 403, body: own, verdict: mattermost.Refused},
		{name: "forbidden by a proxy", status: 403, body: "<html>no</html>"},
		{name: "not found", status: 404, body: own, verdict: mattermost.Refused},
		{name: "not found by an ingress", status: 404, body: "default backend - 404"},
		{name: "Slack", status: 404, body: "channel_not_found", verdict: mattermost.Refused, detail: "channel_not_found"},
		{name: "too large", status: 413, verdict: mattermost.Refused},
		{name: "too many", status: 429, header: map[string]string{"Retry-After": "7"}, after: 7 * time.Second},
		{name: "too many, and too long", status: 429, header: map[string]string{"Retry-After": "99999999"}, after: time.Hour},
		{name: "timeout", status: 408},
		{name: "error", status: 500, body: own},
		{name: "switched off", status: 501, body: own, verdict: mattermost.Refused},
		{name: "unavailable", status: 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range tt.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer server.Close()
			r := mattermost.New(mattermost.Config{}).Send(context.Background(), server.URL+"/hooks/"+hookID, mattermost.Post{Text: "x"})
			if r.Verdict != tt.verdict || r.Status != tt.status || r.RetryAfter != tt.after {
				t.Errorf("result %+v", r)
			}
			if !strings.Contains(r.Detail, tt.detail) || strings.Contains(r.Detail, hookID) || (r.Detail == "") != (tt.verdict == mattermost.Delivered) {
				t.Errorf("detail %q", r.Detail)
			}
		})
	}
}

// TestNoSecretInErrors looks at every way in which there is no answer at all.
func TestNoSecretInErrors(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	s := mattermost.New(mattermost.Config{})
	for _, address := range []string{
		gone.URL + "/hooks/" + hookID,
		"https://no-such-host.invalid/hooks/" + hookID,
		"http://user:" + hookID + "@127.0.0.1:1/hooks/x",
		"ftp://example.com/" + hookID,
		"http://[broken/" + hookID,
		hookID,
		"",
	} {
		r := s.Send(context.Background(), address, mattermost.Post{Text: "x"})
		if r.Verdict != mattermost.Retry || r.Status != 0 || r.Detail == "" || strings.Contains(r.Detail, hookID) {
			t.Errorf("%q: %+v", address, r)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("https://mm.example.com/hooks/"+hookID, "Invalid webhook "+hookID)
	f.Fuzz(func(t *testing.T, address, text string) {
		got := mattermost.Redact(text+" "+address, address)
		if len(address) > 1 && strings.Trim(address, "*") != "" && strings.Contains(got, address) && !strings.Contains("***", address) && !strings.Contains(address, "*") && address != " " {
			t.Errorf("%q is left in %q", address, got)
		}
	})
}
