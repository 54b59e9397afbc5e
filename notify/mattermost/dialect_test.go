package mattermost

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/apimeld/agent/notify"
)

// A redirected client sends what is for some host to a server of the test.
type redirected struct{ to string }

func (r redirected) RoundTrip(request *http.Request) (*http.Response, error) {
	request.URL.Scheme, request.URL.Host = "http", r.to
	return http.DefaultTransport.RoundTrip(request)
}

// TestReceivers holds a long message and a short one to what each receiver's
// documentation says that it refuses.
func TestReceivers(t *testing.T) {
	report := notify.Report{
		Event: notify.Failure, TaskName: "Nightly <Order> & Sync", RunLabel: "x#1", URL: "https://agent.example.com/runs/0193",
		Started: time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC), Duration: time.Second,
		Output: []string{"a <b> & **c** [d](https://e.example.com)", "```", "@channel"},
	}
	long := report
	long.Output = []string{strings.Repeat("🙂 line ", 1900)}
	for _, tt := range []struct {
		name, url, answer string
		check             func(text string) string // what is wrong; empty: nothing
	}{
		{"Mattermost", "https://mattermost.example.com/hooks/xxxxxxxxxxxxxxxxxxxxxxxxxx", "ok", func(text string) string {
			if utf8.RuneCountInString(text) > 16383 {
				return "too long"
			}
			return ""
		}},
		{"Slack", "https://hooks.slack.com/services/T00000000/B00000000/XXXX", "ok", func(text string) string {
			// api.slack.com/reference/surfaces/formatting: &, < and > are Slack's own.
			controls := regexp.MustCompile(`<(https?://[^|<>]+)(\|[^<>]+)?>`)
			rest := strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(controls.ReplaceAllString(text, ""))
			switch {
			case utf8.RuneCountInString(text) > 40000:
				return "too long"
			case strings.ContainsAny(rest, "<>&"):
				return "a control character is not escaped"
			case !strings.Contains(text, "<https://agent.example.com/runs/0193|View full log →>"):
				return "the log is not linked"
			case strings.Count(text, "```") != 2:
				return "the output breaks out of its fence"
			case !strings.Contains(text, "*Task:* Nightly"):
				return "bold is not Slack's"
			}
			return ""
		}},
		{"Rocket.Chat", "https://chat.example.com/hooks/65f0c2/TokenTokenToken", `{"success":true}`, func(text string) string {
			if utf8.RuneCountInString(text) > 5000 {
				return "error-message-size-exceeded"
			}
			return ""
		}},
		{"Discord", "https://discord.com/api/webhooks/123/token/slack", "ok", func(text string) string {
			if len(utf16.Encode([]rune(text))) > 2000 {
				return "Must be 2000 or fewer in length."
			}
			return ""
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var p struct {
					Text, Channel, Username, IconURL, IconEmoji string
				}
				if err := json.NewDecoder(r.Body).Decode(&p); err != nil || p.Text == "" || r.Header.Get("Content-Type") != "application/json" {
					http.Error(w, "invalid_payload", http.StatusBadRequest)
					return
				}
				got = p.Text
				_, _ = io.WriteString(w, tt.answer)
			}))
			defer server.Close()
			s := New(Config{Client: &http.Client{Transport: redirected{strings.TrimPrefix(server.URL, "http://")}}})
			for what, report := range map[string]notify.Report{"short": report, "long": long} {
				if r := s.Send(t.Context(), tt.url, Post{Text: notify.Render(report)}); r.Verdict != Delivered {
					t.Fatalf("%s: %+v", what, r)
				}
				if wrong := tt.check(got); wrong != "" {
					t.Errorf("%s: %s\n%s", what, wrong, got)
				}
				if !strings.Contains(got, "View full log") || !strings.Contains(got, "Task Failed") || strings.Count(got, "```")%2 != 0 && what == "long" {
					t.Errorf("%s: %.300s … %s", what, got, got[max(0, len(got)-300):])
				}
			}
		})
	}
}
