package schedule_test

import (
	"fmt"
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine that has none of its own

	"github.com/apimeld/agent/agent/schedule"
)

func parse(t testing.TB, cron, zone string) *schedule.Schedule {
	t.Helper()
	s, err := schedule.Parse(cron, zone)
	if err != nil {
		t.Fatalf("Parse(%q, %q): %v", cron, zone, err)
	}
	return s
}

// slots are all slots from one time until, and not including, another.
func slots(s *schedule.Schedule, from, until time.Time) []time.Time {
	var all []time.Time
	for t := s.Next(from.Add(-1)); !t.IsZero() && t.Before(until); t = s.Next(t) {
		all = append(all, t)
	}
	return all
}

// The table that the package's documentation publishes, and what it stands for.
func TestDaylightSaving(t *testing.T) {
	berlin := parse(t, "* * * * *", "Europe/Berlin").Location()
	spring := time.Date(2026, 3, 29, 0, 0, 0, 0, berlin)  // 02:00 CET is 03:00 CEST
	autumn := time.Date(2026, 10, 25, 0, 0, 0, 0, berlin) // 03:00 CEST is 02:00 CET
	const tenth = time.Minute * 10
	tests := []struct {
		cron           string
		spring, autumn int
		// Slots that must be among them, and times of the day that must have none.
		in, out []string
	}{
		{
			cron: "30 2 * * *", spring: 1, autumn: 1,
			in:  []string{"2026-03-29T03:00:00+02:00", "2026-10-25T02:30:00+02:00"},
			out: []string{"2026-10-25T02:30:00+01:00", "2026-03-29T03:30:00+02:00"},
		},
		{
			cron: "0 * * * *", spring: 23, autumn: 25,
			in: []string{"2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"},
		},
		{
			cron: "*/15 * * * *", spring: 92, autumn: 100,
			in: []string{"2026-10-25T02:45:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:45:00+01:00"},
		},
		{
			cron: "*/10 1-3 * * *", spring: 12, autumn: 18,
			in:  []string{"2026-03-29T01:50:00+01:00", "2026-03-29T03:00:00+02:00", "2026-10-25T02:50:00+02:00", "2026-10-25T03:00:00+01:00"},
			out: []string{"2026-10-25T02:00:00+01:00", "2026-10-25T02:50:00+01:00"},
		},
		{
			cron: "30 */2 * * *", spring: 11, autumn: 13, // a star with a step follows elapsed time, too
			in:  []string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"},
			out: []string{"2026-03-29T03:00:00+02:00"},
		},
		{
			cron: "15,45 2 * * *", spring: 1, autumn: 2, // two in the gap are one
			in:  []string{"2026-03-29T03:00:00+02:00", "2026-10-25T02:15:00+02:00", "2026-10-25T02:45:00+02:00"},
			out: []string{"2026-10-25T02:15:00+01:00"},
		},
		{cron: "30 2,3 * * *", spring: 2, autumn: 2, in: []string{"2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"}},
		{cron: "*/20 * 2 * * *", spring: 1, autumn: 180},
		{cron: "0 0-23 * * *", spring: 23, autumn: 24},
		{cron: "@hourly", spring: 23, autumn: 25},
		{cron: "@daily", spring: 1, autumn: 1},
		{cron: "@every 1h", spring: 23, autumn: 25},
	}
	for _, test := range tests {
		t.Run(test.cron, func(t *testing.T) {
			s := parse(t, test.cron, "Europe/Berlin")
			found := make(map[string]bool)
			for _, day := range []struct {
				start time.Time
				want  int
			}{{spring, test.spring}, {autumn, test.autumn}} {
				all := slots(s, day.start, day.start.AddDate(0, 0, 1))
				if len(all) != day.want {
					t.Errorf("on %s: %d slots, want %d: %v", day.start.Format(time.DateOnly), len(all), day.want, all)
				}
				for _, slot := range all {
					found[slot.Format(time.RFC3339)] = true
				}
			}
			for _, slot := range test.in {
				if !found[slot] {
					t.Errorf("no slot at %s", slot)
				}
			}
			for _, slot := range test.out {
				if found[slot] {
					t.Errorf("a slot at %s", slot)
				}
			}
		})
	}
	// Whichever instant of the gap's neighbourhood one asks from, the answer is the same.
	s := parse(t, "30 2 * * *", "Europe/Berlin")
	gap := spring.Add(2 * time.Hour)
	for at := spring; at.Before(gap); at = at.Add(tenth) {
		if got := s.Next(at); !got.Equal(gap) {
			t.Errorf("Next(%v) = %v, want %v", at, got, gap)
		}
	}
	if got, want := s.Next(gap), time.Date(2026, 3, 30, 2, 30, 0, 0, berlin); !got.Equal(want) {
		t.Errorf("Next(%v) = %v, want %v", gap, got, want)
	}
}

func TestNext(t *testing.T) {
	tests := []struct{ cron, zone, after, want string }{
		{"* * * * *", "", "2026-01-31T23:59:59.999Z", "2026-02-01T00:00:00Z"},
		{"* * * * * *", "", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"},
		{"0 0 29 2 *", "", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"0 0 29 2 *", "", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
		{"0 0 29 2 */7", "", "2026-01-01T00:00:00Z", "2032-02-29T00:00:00Z"},
		{"0 0 29 2 */7", "", "2088-03-01T00:00:00Z", "2128-02-29T00:00:00Z"},
		{"0 0 30 2 *", "Europe/Berlin", "2026-01-01T00:00:00Z", ""},
		{"0 * 31 4,6 *", "Europe/Berlin", "2026-01-01T00:00:00Z", ""},
		{"0 0 31 * *", "", "2026-04-01T00:00:00Z", "2026-05-31T00:00:00Z"},
		// Friday the 13th does not exist in cron: either day matches.
		{"0 0 13 * 5", "", "2026-11-10T00:00:00Z", "2026-11-13T00:00:00Z"},
		{"0 0 13 * 5", "", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"},
		{"0 0 13 * 5", "", "2026-12-12T00:00:00Z", "2026-12-13T00:00:00Z"},
		// A field that begins with * restricts nothing, so both must match.
		{"0 0 */2 * 1", "", "2026-11-01T00:00:00Z", "2026-11-09T00:00:00Z"},
		{"0 0 1 * */2", "", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
		{"0 0 ? * 1", "", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"},
		// Sunday at both ends of the week.
		{"0 0 * * 7", "", "2026-11-23T00:00:00Z", "2026-11-29T00:00:00Z"},
		{"0 0 * * 5-7", "", "2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z"},
		{"0 0 * * 5-7", "", "2026-11-29T00:00:00Z", "2026-12-04T00:00:00Z"},
		{"0 0 * * fri-SUN", "", "2026-11-29T00:00:00Z", "2026-12-04T00:00:00Z"},
		{"0 0 * * 1-7/3", "", "2026-11-23T00:00:00Z", "2026-11-26T00:00:00Z"},
		{"0 0 * * 1-7/3", "", "2026-11-26T00:00:00Z", "2026-11-29T00:00:00Z"},
		{"0 0 * * 0-7", "", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z"},
		{"0 0 * * 7,3", "", "2026-11-26T00:00:00Z", "2026-11-29T00:00:00Z"},
		{"0 0 * jan,JUL mon", "", "2026-02-01T00:00:00Z", "2026-07-06T00:00:00Z"},
		{"5/20 * * * *", "", "2026-01-01T00:05:00Z", "2026-01-01T00:25:00Z"},
		{"10-30/10 * * * *", "", "2026-01-01T00:30:00Z", "2026-01-01T01:10:00Z"},
		{"@weekly", "", "2026-11-23T00:00:00Z", "2026-11-29T00:00:00Z"},
		{"@monthly", "", "2026-11-23T00:00:00Z", "2026-12-01T00:00:00Z"},
		{"@yearly", "", "2026-11-23T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"@every 90s", "", "1970-01-01T00:01:30Z", "1970-01-01T00:03:00Z"},
		{"@every 90s", "", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"},
		{"@every 2d", "Europe/Berlin", "1970-01-01T00:00:00Z", "1970-01-03T00:00:00Z"},
		// Half an hour's change: Lord Howe skips 02:00-02:30 and has 01:30-02:00 twice.
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z"},
		{"45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-04T14:45:00Z"},
		{"45 1 * * *", "Australia/Lord_Howe", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"},
		{"45 * * * *", "Australia/Lord_Howe", "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"},
		// No midnight: São Paulo on 2018-11-04 began at 01:00.
		{"0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-04T03:00:00Z"},
		{"30 0 4 11 *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-04T03:00:00Z"},
		{"0 0 * * *", "America/Sao_Paulo", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		// No day: Samoa went from 29 to 31 December 2011.
		{"0 12 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", "2011-12-30T10:00:00Z"},
		{"0 0 * * *", "Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z"},
		{"0 0 * * *", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
		{"0 * 30 12 *", "Pacific/Apia", "2011-12-29T12:00:00Z", "2012-12-29T10:00:00Z"},
		{"0 6 * * *", "Asia/Kathmandu", "2026-11-23T00:00:00Z", "2026-11-23T00:15:00Z"},
		// A day twice: Alaska was bought, and its clocks set back by 24 hours.
		{"0 12 * * *", "America/Sitka", "1867-10-18T21:01:13Z", "1867-10-20T21:01:13Z"},
		// Always in the gap: an hour that begins with * then never comes.
		{"30 */24 25-31 3 */7", "Asia/Beirut", "2026-01-01T00:00:00Z", ""},
		{"30 0 25-31 3 */7", "Asia/Beirut", "2026-01-01T00:00:00Z", "2026-03-28T22:00:00Z"},
		// On 31 December of a leap year beyond a zone's table the time package
		// gives a period that has ended.
		{"0 12 * * *", "Europe/Berlin", "2040-12-31T00:30:00Z", "2040-12-31T11:00:00Z"},
		{"0 * 1 1 *", "America/New_York", "2040-12-31T12:00:00Z", "2041-01-01T05:00:00Z"},
		{"0 0 1 1 *", "", "0001-01-01T00:00:00Z", "0002-01-01T00:00:00Z"},
		{"0 0 1 1 *", "", "9998-06-01T00:00:00Z", "9999-01-01T00:00:00Z"},
		{"0 0 1 1 *", "", "9999-06-01T00:00:00Z", ""},
	}
	for _, test := range tests {
		s := parse(t, test.cron, test.zone)
		after, err := time.Parse(time.RFC3339Nano, test.after)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if next := s.Next(after); !next.IsZero() {
			got = next.UTC().Format(time.RFC3339)
			if next.Location() != s.Location() {
				t.Errorf("%s: Next(%s) is in %v", s, test.after, next.Location())
			}
		}
		if got != test.want {
			t.Errorf("%s: Next(%s) = %q, want %q", s, test.after, got, test.want)
		}
	}
}

func TestNextOfNoTime(t *testing.T) {
	s := parse(t, "0 0 1 1 *", "Europe/Berlin")
	if got := s.Next(time.Time{}); got.Year() != 1 && got.Year() != 2 {
		t.Errorf("Next of the zero time = %v", got)
	}
	if got := s.Next(time.Unix(1<<60, 0)); !got.IsZero() {
		t.Errorf("Next in the far future = %v", got)
	}
	if got := s.Next(time.Unix(-1<<60, 0)); got.Year() != 1 && got.Year() != 2 {
		t.Errorf("Next in the far past = %v", got)
	}
}

func TestString(t *testing.T) {
	for _, test := range []struct{ cron, zone, want string }{
		{" 0  2 * *\t* ", "Europe/Berlin", "0 2 * * * Europe/Berlin"},
		{"@every 90s", "", "@every 90s UTC"},
	} {
		if got := fmt.Sprint(parse(t, test.cron, test.zone)); got != test.want {
			t.Errorf("String() = %q, want %q", got, test.want)
		}
	}
}
