package schedule_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apimeld/agent/agent/schedule"
)

// FuzzExpression holds that whatever is written is either refused with a way
// out, or fires at instants that only go forward, the same when its own text
// is read again, and as many as Between counts.
func FuzzExpression(f *testing.F) {
	for _, cron := range []string{
		"* * * * *", "0 2 * * *", "30 2 * * *", "*/10 1-3 * * *", "0 0 */2 * 1", "0 0 13 * FRI", "5/15 0-23/2 1,15 jan-mar sun",
		"59 59 23 31 12 7", "*/7 * * * * *", "0 0 29 2 *", "0 0 30 2 *", "0 0 ? * 5-7", "@hourly", "@every 90s", "@every 1ns", "@reboot",
		"TZ=UTC * * * * *", "60 * * * *", "1-0 * * * *", "*/0 * * * *", "", "* * * *", "99999999999999999999 * * * *",
	} {
		f.Add(cron, "Europe/Berlin", int64(1_774_742_400)) // the day that skips an hour
		f.Add(cron, "", int64(1_792_879_200))
	}
	f.Add("30 2 * * *", "Australia/Lord_Howe", int64(1_790_000_000))
	f.Add("0 0 * * *", "Pacific/Apia", int64(1_325_200_000)) // a day that never was
	f.Add("0 0 * * *", "Local", int64(0))
	f.Add("0 0 * * *", "../../etc/passwd", int64(0))
	f.Fuzz(func(t *testing.T, cron, zone string, unix int64) {
		s, err := schedule.Parse(cron, zone)
		if err != nil {
			var e *schedule.Error
			if !errors.As(err, &e) || e.Message == "" || e.Hint == "" || strings.ContainsAny(e.Message, "\n\x00") {
				t.Fatalf("parse %q in %q: %#v", cron, zone, err)
			}
			return
		}
		again, err := schedule.Parse(s.Cron(), zone)
		if err != nil {
			t.Fatalf("%q reads itself as %q: %v", cron, s.Cron(), err)
		}
		from := time.Unix(unix%4_000_000_000, 0)
		last := from
		for range 50 {
			next := s.Next(last)
			if !next.Equal(again.Next(last)) {
				t.Fatalf("%q and its own text %q differ after %v", cron, s.Cron(), last)
			}
			if next.IsZero() {
				break
			}
			if !next.After(last) {
				t.Fatalf("%q after %v is %v", cron, last, next)
			}
			last = next
		}
		set := schedule.Set{{Schedule: s}}
		want := 0
		for at := s.Next(from); !at.IsZero() && !at.After(last); at = s.Next(at) {
			want++
		}
		if got, count := set.Between(from, last, 10); count != want || len(got) != min(want, 10) {
			t.Fatalf("%q has %d slots from %v to %v; Between counts %d and gives %d", cron, want, from, last, count, len(got))
		}
	})
}
