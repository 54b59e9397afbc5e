package notify_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/apimeld/agent/notify"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden holds the messages to files that look as a channel receives them.
func TestGolden(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	started := time.Date(2026, 11, 23, 2, 0, 0, 0, zone)
	code := func(n int) *int { return &n }
	base := notify.Report{
		TaskName: "Nightly Order Sync",
		RunLabel: "nightly-order-sync#1042",
		Started:  started,
		Duration: 12*time.Second + 400*time.Millisecond,
		Timeout:  30 * time.Minute,
		Attempt:  1,
		Attempts: 1,
		URL:      "https://agent.example.com/runs/0193",
	}
	report := func(change func(*notify.Report)) string {
		r := base
		change(&r)
		return notify.Render(r)
	}
	for name, got := range map[string]string{
		"success": report(func(r *notify.Report) {
			r.Event, r.ExitCode = notify.Success, code(0)
			r.Output = []string{"Synced 1,247 orders. 3 skipped (already up to date)."}
		}),
		"failure": report(func(r *notify.Report) {
			r.Event, r.ExitCode, r.Mentions = notify.Failure, code(3), []string{"@oncall", "not a mention"}
			r.Attempt, r.Attempts = 3, 3
			r.Output, r.OutputBefore = []string{"Traceback", "\x1b[31mKeyError\x1b[0m: 'id'"}, 118
		}),
		"signal": report(func(r *notify.Report) { r.Event, r.Signal = notify.Failure, "killed" }),
		"not-started": report(func(r *notify.Report) {
			r.Event, r.Started, r.Reason = notify.Failure, time.Time{}, "python3 is not on PATH"
		}),
		"timeout":   report(func(r *notify.Report) { r.Event, r.Duration = notify.Timeout, 30*time.Minute }),
		"start":     report(func(r *notify.Report) { r.Event = notify.Start }),
		"recovered": report(func(r *notify.Report) { r.Event, r.Troubles = notify.Recovered, 4 }),
		"cancelled": report(func(r *notify.Report) { r.Event, r.Reason = notify.Cancelled, "cancelled by the API" }),
		"skipped": report(func(r *notify.Report) {
			r.Event, r.Started, r.Reason = notify.Skipped, time.Time{}, "nightly-order-sync#1041 was still going"
		}),
		"lost": report(func(r *notify.Report) { r.Event, r.Reason = notify.Lost, "the agent ended without warning" }),
		"awkward": report(func(r *notify.Report) {
			r.Event, r.TaskName = notify.Success, "**@channel** [x](http://evil)\n<!here> `&#64;all`"
			r.Output = []string{"```", "@channel <!channel> ````", "10%\r50%\r100%", "\u202ereversed"}
		}),
		"script": notify.Script("Sync in progress: **500**/1000 @channel &#64;here"),
		"test":   notify.Test("Ops *Channel*"),
		"rejected": notify.RenderRejected(notify.Sync{
			Revision: "0123456789abcdef", Title: "Add sync", Author: "Ann", URL: "https://agent.example.com/revisions",
			Problems: []notify.SyncProblem{{Place: "tasks/sync.yaml:3:7: unknown key \"shedule\"", Hint: "did you mean schedule?"}},
		}),
		"restored": notify.RenderRestored(notify.Sync{Revision: "0123456789abcdef", Title: "Fix sync", URL: "https://agent.example.com/revisions"}),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", name+".md")
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got+"\n"); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                              "0s",
		-time.Second:                   "0s",
		time.Millisecond:               "0.1s",
		12400 * time.Millisecond:       "12.4s",
		59980 * time.Millisecond:       "1m",
		5 * time.Second:                "5s",
		30 * time.Minute:               "30m",
		65 * time.Second:               "1m 5s",
		time.Hour + 5*time.Minute:      "1h 5m",
		72*time.Hour + 30*time.Minute:  "3d 1h",
		100*time.Hour + 10*time.Minute: "4d 4h",
	} {
		if got := notify.Duration(d); got != want {
			t.Errorf("Duration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestScriptIsCut(t *testing.T) {
	got := notify.Script("```\n" + strings.Repeat("0123456789", 100_000))
	if n := utf8.RuneCountInString(got); n > 16_383 {
		t.Errorf("%d runes", n)
	}
	if want := "\n```\n\n… cut here: the text had 1000004 characters"; !strings.HasSuffix(got, want) {
		t.Errorf("ends with %q", got[len(got)-80:])
	}
}

func TestValidMention(t *testing.T) {
	for mention, want := range map[string]bool{
		"@oncall": true, "@channel": true, "@ops.team-1": true,
		"oncall": false, "@": false, "@On Call": false, "@a b": false, "@x)": false, "<!channel>": false,
	} {
		if got := notify.ValidMention(mention); got != want {
			t.Errorf("ValidMention(%q) = %v", mention, got)
		}
	}
}

// FuzzRender looks for output that is too long, that leaves its fence, or
// that keeps a character with which somebody could be pinged.
func FuzzRender(f *testing.F) {
	f.Add("Task", "output", "reason")
	f.Add("@channel", "```\n@here", "<!channel>")
	f.Add("`", "````\r\n~~~\x1b[31m", "&#64;all")
	f.Fuzz(func(t *testing.T, name, output, reason string) {
		got := notify.Render(notify.Report{
			Event: notify.Failure, TaskName: name, Reason: reason,
			Output: strings.Split(output, "\n"), URL: "https://agent.example.com/runs/1",
		})
		check(t, got)
		check(t, notify.Script(output))
		if !strings.HasSuffix(got, "\n[View full log →](https://agent.example.com/runs/1)") {
			t.Errorf("the link is not the last line: %q", got)
		}
	})
}

func check(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("not UTF-8: %q", text)
	}
	if utf8.RuneCountInString(text) > 16_383 || len(text) > 50_000 {
		t.Errorf("%d bytes are too many", len(text))
	}
	for _, sign := range []string{"@", "<", "＠"} {
		if strings.Count(text, sign) != strings.Count(text, sign+"\u200b") {
			t.Errorf("a live %s in %q", sign, text)
		}
	}
	if strings.Contains(text, "&#") || strings.Contains(text, "&commat") {
		t.Errorf("a live character reference in %q", text)
	}
}
