package schedule_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apimeld/agent/agent/schedule"
)

// naive reads the documented rules word by word: it watches the clock on the
// wall step by step, remembers what it has shown, and shares no code with the
// package.
type naive struct {
	second, minute, hour, dom, month, dow map[int]bool
	either, elapsed                       bool
}

func newNaive(cron string) naive {
	f := strings.Fields(cron)
	if len(f) == 5 {
		f = append([]string{"0"}, f...)
	}
	return naive{
		second: naiveField(f[0], 0, 59), minute: naiveField(f[1], 0, 59), hour: naiveField(f[2], 0, 23),
		dom: naiveField(f[3], 1, 31), month: naiveField(f[4], 1, 12), dow: naiveField(f[5], 0, 6),
		either:  f[3][0] != '*' && f[5][0] != '*',
		elapsed: f[2][0] == '*',
	}
}

func naiveField(field string, first, last int) map[int]bool {
	values := make(map[int]bool)
	for item := range strings.SplitSeq(field, ",") {
		span, by, _ := strings.Cut(item, "/")
		step, low, high := 1, first, last
		if by != "" {
			step, _ = strconv.Atoi(by)
		}
		if span != "*" {
			from, to, ranged := strings.Cut(span, "-")
			low, _ = strconv.Atoi(from)
			if high = low; ranged {
				high, _ = strconv.Atoi(to)
			}
		}
		for v := low; v <= high; v += step {
			values[v] = true
		}
	}
	return values
}

// matches takes the clock's reading as if it were a time in UTC.
func (n naive) matches(wall time.Time) bool {
	dom, dow := n.dom[wall.Day()], n.dow[int(wall.Weekday())]
	days := dom && dow
	if n.either {
		days = dom || dow
	}
	return days && n.month[int(wall.Month())] && n.hour[wall.Hour()] && n.minute[wall.Minute()] && n.second[wall.Second()]
}

// slots lists the slots between two instants, in steps of which both the
// expression's and the zone's times are multiples.
func (n naive) slots(loc *time.Location, from, until time.Time, step time.Duration) []time.Time {
	reading := func(t time.Time) time.Time {
		_, offset := t.In(loc).Zone()
		return t.Add(time.Duration(offset) * time.Second).UTC()
	}
	var found []time.Time
	begin := from.Add(-60 * time.Hour) // long enough to have seen a day that comes twice
	seen := make(map[time.Time]bool)
	last := reading(begin.Add(-step))
	for t := begin; t.Before(until); t = t.Add(step) {
		wall := reading(t)
		due := n.matches(wall) && (n.elapsed || !seen[wall])
		if !n.elapsed {
			for skipped := last.Add(step); skipped.Before(wall); skipped = skipped.Add(step) {
				due = due || n.matches(skipped) && !seen[skipped]
				seen[skipped] = true
			}
		}
		seen[wall] = true
		last = wall
		if due && !t.Before(from) {
			found = append(found, t)
		}
	}
	return found
}

// changes are instants around which clocks did something: forward, back, by an
// hour, half an hour and a day, at midnight and twice within weeks.
var changes = []struct{ zone, at string }{
	{"Europe/Berlin", "2026-03-29T01:00:00Z"},
	{"Europe/Berlin", "2026-10-25T01:00:00Z"},
	{"America/New_York", "2026-03-08T07:00:00Z"},
	{"America/New_York", "2026-11-01T06:00:00Z"},
	{"America/New_York", "2041-03-10T07:00:00Z"},
	{"Australia/Lord_Howe", "2026-04-04T15:00:00Z"},
	{"Australia/Lord_Howe", "2026-10-03T15:30:00Z"},
	{"America/Sao_Paulo", "2018-02-18T02:00:00Z"},
	{"America/Sao_Paulo", "2018-11-04T03:00:00Z"},
	{"Pacific/Apia", "2011-12-30T10:00:00Z"},
	{"Pacific/Kwajalein", "1993-08-21T12:00:00Z"},
	{"Africa/Casablanca", "2026-02-15T02:00:00Z"},
	{"Africa/Casablanca", "2026-03-22T02:00:00Z"},
	{"America/Caracas", "2016-05-01T07:00:00Z"},
	{"Asia/Pyongyang", "2018-05-04T15:00:00Z"},
	{"Asia/Kathmandu", "1985-12-31T18:30:00Z"},
	{"Asia/Manila", "1844-12-31T15:56:00Z"},
	{"Antarctica/Troll", "2026-03-29T01:00:00Z"},
	{"Europe/Dublin", "2026-10-25T01:00:00Z"},
	{"America/Scoresbysund", "2024-03-31T01:00:00Z"},
	{"UTC", "2026-02-28T00:00:00Z"},
}

func TestAgainstNaive(t *testing.T) {
	expressions := []string{
		"* * * * *", "0 * * * *", "*/15 * * * *", "30 2 * * *", "0 0 * * *", "0,30 0-3 * * *",
		"*/10 1-3 * * *", "15,45 0,2,23 * * *", "59 23 * * *", "*/7 */5 * * *", "10 *,5 * * *",
		"0 12 30 12 *", "20 1 */2 * 0,5", "20 1 28-31 3,10,12 1", "5 3 29 * 6", "0-59/13 0-23/2 * * *",
	}
	for _, change := range changes {
		t.Run(change.zone+" "+change.at[:10], func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, change.at)
			if err != nil {
				t.Fatal(err)
			}
			from, until := at.Add(-40*time.Hour), at.Add(40*time.Hour)
			random := rand.New(rand.NewPCG(1, uint64(at.Unix())))
			for _, cron := range expressions {
				s := parse(t, cron, change.zone)
				want := newNaive(cron).slots(s.Location(), from, until, time.Minute)
				if change.zone == "Asia/Manila" {
					want = nil // local mean time is no whole minute; see below
				} else {
					compare(t, s, from, until, want)
				}
				if random.IntN(4) == 0 {
					from, until := at.Add(-150*time.Minute), at.Add(150*time.Minute)
					compare(t, parse(t, "*/20 "+cron, change.zone), from, until,
						newNaive("*/20 "+cron).slots(s.Location(), from, until, time.Second))
				}
				betweens(t, s, random, from, until, want)
			}
		})
	}
}

// compare asks from each slot, and from many instants that are none.
func compare(t *testing.T, s *schedule.Schedule, from, until time.Time, want []time.Time) {
	t.Helper()
	got := slots(s, from, until)
	if !slices.EqualFunc(got, want, time.Time.Equal) {
		t.Errorf("%s: %d slots, want %d:\n%v\n%v", s, len(got), len(want), got, want)
		return
	}
	i := 0
	for at := from; ; at = at.Add(97 * time.Second) {
		for i < len(want) && !want[i].After(at) {
			i++
		}
		if i == len(want) {
			return
		}
		if got := s.Next(at); !got.Equal(want[i]) {
			t.Errorf("%s: Next(%v) = %v, want %v", s, at, got, want[i])
			return
		}
	}
}

// betweens counts, instead of walking, what lies between two instants.
func betweens(t *testing.T, s *schedule.Schedule, random *rand.Rand, from, until time.Time, all []time.Time) {
	t.Helper()
	if all == nil {
		return
	}
	set := schedule.Set{{Schedule: s}}
	for range 20 {
		a := from.Add(time.Duration(random.Int64N(int64(until.Sub(from)))))
		b := a.Add(time.Duration(random.Int64N(int64(until.Sub(a)))))
		if random.IntN(2) == 0 {
			a, b = a.Truncate(time.Minute), b.Truncate(time.Minute)
		}
		var want []time.Time
		for _, slot := range all {
			if slot.After(a) && !slot.After(b) {
				want = append(want, slot)
			}
		}
		limit := random.IntN(8)
		got, count := set.Between(a, b, limit)
		newest := want[max(0, len(want)-limit):]
		if count != len(want) || !slices.EqualFunc(got, newest, time.Time.Equal) {
			t.Errorf("%s: Between(%v, %v, %d) = %v of %d, want %v of %d", s, a, b, limit, got, count, newest, len(want))
			return
		}
	}
}
