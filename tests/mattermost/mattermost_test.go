// Package mattermost holds the messages to Mattermost's own code: its decoder
// of incoming webhooks, its limits, and its parser of Markdown. It is a module
// of its own, so that users of the agent do not inherit what that needs; a
// test of the main module runs it.
package mattermost

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/shared/markdown"

	"github.com/apimeld/agent/notify"
	sender "github.com/apimeld/agent/notify/mattermost"
)

// maxRequest is what the server reads of a request, in bytes (MaximumPayloadSizeBytes).
const maxRequest = 300_000

// received is a request as Mattermost's server understands it.
func received(t *testing.T, p sender.Post) *model.IncomingWebhookRequest {
	t.Helper()
	var got *model.IncomingWebhookRequest
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > maxRequest {
			t.Errorf("the request has %d bytes", r.ContentLength)
		}
		request, err := model.IncomingWebhookRequestFromJSON(r.Body)
		if err != nil {
			t.Errorf("Mattermost cannot decode it: %v", err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		got = request
	}))
	defer server.Close()
	if r := sender.New(sender.Config{}).Send(context.Background(), server.URL+"/hooks/x", p); r.Verdict != sender.Delivered {
		t.Fatalf("%+v", r)
	}
	return got
}

func TestDecoder(t *testing.T) {
	p := sender.Post{Text: "✅ text", Channel: "ops-prod", Username: "ApiMeld", IconURL: "https://example.com/i.png", IconEmoji: ":robot:"}
	got := received(t, p)
	if got.Text != p.Text || got.ChannelName != p.Channel || got.Username != p.Username || got.IconURL != p.IconURL || got.IconEmoji != p.IconEmoji || len(got.Attachments) != 0 {
		t.Errorf("decoded %+v", got)
	}
}

// awkward is what scripts print to break out of their place.
var awkward = []string{
	"@channel @here @all @oncall",
	"<!channel> <!here|here> <@U123> <http://x|@channel>",
	"```\n@channel\n```", "````\n```\n@here", "~~~\n@channel\n~~~", "`@channel`", "\x60\x60\x60\x60\x60\x60\n@all",
	"&#64;channel &#x40;here &commat;all &#0064;channel", `\@channel`, "@\u200bchannel", "＠channel",
	"**@channel** _@here_ [@all](http://x) ![@all](http://x)", "# @channel", "> @channel", "| @channel |\n|---|\n| @here |",
	"\r\n@channel\r\n", "\x1b[31m@channel\x1b[0m", "    @channel", "<details>@channel</details>", "@\nchannel", "@\x00channel",
	strings.Repeat("x", 20_000) + "@channel", strings.Repeat("```\n@channel\n", 2000), strings.Repeat("😀", 20_000) + " @here",
}

// TestNobodyIsPinged looks for names in what Mattermost's parser sees as text.
func TestNobodyIsPinged(t *testing.T) {
	for _, live := range []string{"a @channel", "a &#64;channel", "**@channel**"} {
		if len(mentions(live)) != 1 {
			t.Fatalf("this test would not see that %q pings", live)
		}
	}
	code := 3
	for _, text := range awkward {
		report := notify.Report{
			Event: notify.Failure, TaskName: text, Started: time.Now(), Duration: time.Second, ExitCode: &code, Reason: text,
			Output: strings.Split(text, "\n"), URL: "https://agent.example.com/runs/1", Mentions: []string{"@oncall", text},
		}
		message := notify.Render(report)
		if got := mentions(received(t, sender.Post{Text: message}).Text); len(got) != 1 || got[0] != "@oncall" {
			t.Errorf("%.60q pings %q in\n%s", text, got, message)
		}
		script := notify.Script(text)
		if got := mentions(received(t, sender.Post{Text: script}).Text); len(got) != 0 {
			t.Errorf("a script's %.60q pings %q", text, got)
		}
		for _, m := range []string{message, script} {
			if n := utf8.RuneCountInString(m); n > model.PostMessageMaxRunesV2 {
				t.Errorf("%d runes: the server would split it", n)
			}
		}
		if slack := regexp.MustCompile(`<[!@]`); slack.MatchString(message) || slack.MatchString(script) {
			t.Errorf("%.60q keeps one of Slack's commands", text)
		}
	}
}

// mention is what Mattermost takes for a name, at the least.
var mention = regexp.MustCompile(`[@＠][a-z0-9][a-z0-9._-]*`)

// mentions finds names as the server does: in the text that its Markdown
// parser sees, code left out, with character references resolved.
func mentions(text string) []string {
	var seen strings.Builder
	markdown.Inspect(text, func(node any) bool {
		if n, ok := node.(*markdown.Text); ok {
			seen.WriteString(n.Text)
			return false
		}
		if _, ok := node.(*markdown.Paragraph); ok {
			seen.WriteString("\n")
		}
		return true
	})
	return mention.FindAllString(seen.String(), -1)
}

// TestOutputStaysInItsFence parses messages: one code block holds the whole
// output, and the link follows it.
func TestOutputStaysInItsFence(t *testing.T) {
	for _, text := range awkward {
		message := notify.Render(notify.Report{Event: notify.Success, TaskName: "T", Output: strings.Split(text, "\n"), URL: "https://agent.example.com/runs/1"})
		if strings.TrimSpace(strings.Map(func(r rune) rune {
			if r < ' ' {
				return -1
			}
			return r
		}, text)) == "" {
			continue
		}
		blocks, links := 0, 0
		markdown.Inspect(message, func(node any) bool {
			switch n := node.(type) {
			case *markdown.FencedCode:
				blocks++
			case *markdown.InlineLink:
				if n.Destination() == "https://agent.example.com/runs/1" {
					links++
				}
			}
			return true
		})
		if blocks != 1 || links != 1 {
			t.Errorf("%.60q: %d code blocks, %d links in\n%.500s", text, blocks, links, message)
		}
	}
}

// TestLook holds the message's parts to what the parser makes of them.
func TestLook(t *testing.T) {
	message := notify.Render(notify.Report{Event: notify.Success, TaskName: "Nightly *Order* Sync", Output: []string{"done"}, URL: "https://agent.example.com/runs/1"})
	html := markdown.RenderHTML(message)
	for _, want := range []string{"<p>✅ **ApiMeld", "Nightly *Order* Sync", "<pre><code>done\n</code></pre>", `<a href="https://agent.example.com/runs/1">View full log →</a>`} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in\n%s", want, html)
		}
	}
}
