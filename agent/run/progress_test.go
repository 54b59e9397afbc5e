package run_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apimeld/agent/agent/run"
)

func TestProgress(t *testing.T) {
	for _, tt := range []struct {
		record  string
		want    run.Progress
		percent int
		count   string
	}{
		{"1 4 part one", run.Progress{Done: 1, Total: 4, Text: "part one"}, 25, "1/4"},
		{"1.0 4.0 ", run.Progress{Done: 1, Total: 4}, 25, "1/4"},
		{"7 0", run.Progress{Done: 7}, -1, "7"},
		{"5 4", run.Progress{Done: 5, Total: 4}, 100, "5/4"},
		{"0.5 2 x  y", run.Progress{Done: 0.5, Total: 2, Text: "x  y"}, 25, "0.5/2"},
	} {
		got, ok := run.ParseProgress(tt.record)
		if !ok || got != tt.want || got.Percent() != tt.percent || got.Count() != tt.count {
			t.Errorf("%q: %+v %t, %d %%, %s", tt.record, got, ok, got.Percent(), got.Count())
		}
	}
	for _, record := range []string{"", "1", "a b", "-1 4", "1 -4", "NaN 4", "1 Inf", "1  4"} {
		if got, ok := run.ParseProgress(record); ok {
			t.Errorf("%q: %+v", record, got)
		}
	}
}

// FuzzProgress holds that whatever a script writes is refused or can be shown.
func FuzzProgress(f *testing.F) {
	f.Add("1 4 part")
	f.Add("1e308 1e-308 x")
	f.Add("0x1p4 1_0 x")
	f.Fuzz(func(t *testing.T, record string) {
		p, ok := run.ParseProgress(record)
		if !ok {
			return
		}
		if percent := p.Percent(); percent < -1 || percent > 100 {
			t.Errorf("%d %%", percent)
		}
		if utf8.RuneCountInString(p.Text) > 201 || strings.ContainsAny(p.Count(), " \n") || p.Count() == "" {
			t.Errorf("%q %q", p.Text, p.Count())
		}
	})
}
