// Package schedule says when a task is due: cron expressions, slots, daylight
// saving and jitter. It is pure arithmetic on what it is given; it reads no
// clock, starts nothing, logs nothing, and knows neither tasks nor runs.
//
// # Expressions
//
// Five fields (minute, hour, day of month, month, day of week), six with
// leading seconds, @yearly @annually @monthly @weekly @daily @midnight @hourly,
// and @every with a duration. Lists, ranges, steps, names in any case, ? for *,
// and 7 for Sunday, also at the end of a range (5-7, fri-sun). 5/15 is 5-59/15.
//
// A field is restricted when it does not begin with *. With both days
// restricted either of them matches, else both must: as in Debian's crontab(5),
// so that 0 0 */2 * 1 is every Monday with an odd date.
//
// @every 90s is due at each multiple of 90 seconds since the Unix epoch,
// whenever the agent was started; whole seconds, at least one.
//
// # Daylight saving
//
// When the clocks change, by whatever amount and at whatever hour, the hour
// field decides:
//
//   - It begins with *: the schedule follows elapsed time. It is due whenever
//     the clock on the wall shows a matching time: not at a time that is
//     skipped, twice at one that comes twice.
//   - Anything else: each matching time is due once, at the first instant at
//     which the clock shows it or, if it is skipped, a later one.
//
// Two slots at the same instant are one. In Europe/Berlin in 2026, where
// 02:00-03:00 is skipped on 29 March and comes twice on 25 October:
//
//	expression       29 March                     25 October
//	30 2 * * *       1   (03:00 CEST)             1   (02:30 CEST, the first)
//	0 * * * *        23                           25
//	*/15 * * * *     92                           100
//	*/10 1-3 * * *   12  (none between 2 and 3)   18  (the first 2 to 3 only)
//
// # Range
//
// Slots are whole seconds of the years 1 to 9999. A schedule without a slot
// for 40 years, the longest that the calendar leaves between two 29 Februaries
// on a given weekday, has none.
package schedule

import "time"

// A Spec is one schedule as its author wrote it.
type Spec struct {
	Cron     string
	Timezone string        // an IANA name; empty is UTC
	Jitter   time.Duration // see [Offset]
}

// A Schedule is one parsed expression in one time zone. It is immutable, safe
// for concurrent use, and small: 64 bytes and its expression.
type Schedule struct {
	second, minute uint64 // bit n: second or minute n
	hour           uint32 // bit n: hour n
	dom            uint32 // bit n-1: day n of the month, as in a month's mask of days
	every          int64  // seconds between slots since the epoch; 0 when the fields count
	month          uint16 // bit n: month n
	dow            uint8  // bit n: weekday n, Sunday is 0
	eitherDay      bool   // both days are restricted
	elapsed        bool   // the hour field begins with *
	loc            *time.Location
	cron           string
}

// The instants in which slots are looked for, in Unix seconds.
const (
	earliest = -62135596800 // 0001-01-01T00:00:00Z
	latest   = 253402300799 // 9999-12-31T23:59:59Z
)

// String is the expression and its time zone, such as "0 2 * * * Europe/Berlin".
func (s *Schedule) String() string { return s.cron + " " + s.loc.String() }

// Cron is the expression as written, its white space reduced.
func (s *Schedule) Cron() string { return s.cron }

// Location is the schedule's time zone.
func (s *Schedule) Location() *time.Location { return s.loc }

// Next is the first slot strictly after the given instant, in the schedule's
// time zone; the zero time if there is none (see the package's Range).
func (s *Schedule) Next(after time.Time) time.Time {
	t, ok := s.next(after.Unix())
	if !ok {
		return time.Time{}
	}
	return time.Unix(t, 0).In(s.loc)
}

// next is Next in Unix seconds.
func (s *Schedule) next(after int64) (t int64, ok bool) {
	switch after = max(after, earliest); {
	case after >= latest:
		return 0, false
	case s.every > 0:
		t, ok = (floorDiv(after, s.every)+1)*s.every, true
	case s.elapsed:
		t, ok = s.nextElapsed(after)
	default:
		t, ok = s.nextOnce(after)
	}
	return t, ok && t <= latest
}

// nextElapsed finds the first instant at which the clock shows a matching time.
func (s *Schedule) nextElapsed(after int64) (int64, bool) {
	for t := after + 1; t < after+horizon*31*day; {
		p := periodAt(s.loc, t)
		wall, ok := s.nextWall(t + p.offset)
		if !ok {
			return 0, false
		}
		if wall-p.offset < p.end {
			return wall - p.offset, true
		}
		t = p.end
		// A sparse schedule need not look at each period until then: from the
		// period's end on, no clock shows less than this.
		if wall, ok = s.nextWall(t - widest); ok {
			t = max(t, wall-widest)
		}
	}
	// Every match was skipped, such as 00:30 on the last Sunday of each March in
	// a zone that changes its clock just then.
	return 0, false
}

// nextOnce finds the first matching time that the clock has neither shown nor
// skipped yet, and the first instant at which it shows that time or a later one.
func (s *Schedule) nextOnce(after int64) (int64, bool) {
	p := periodAt(s.loc, after)
	wall, ok := s.nextWall(shown(s.loc, p, after) + 1)
	if !ok {
		return 0, false
	}
	if wall-p.offset < p.end {
		return wall - p.offset, true
	}
	for t := max(p.end, wall-widest); ; t = p.end {
		p = periodAt(s.loc, t)
		if wall-p.offset < p.end {
			return max(t, wall-p.offset), true
		}
	}
}

// count is the number of slots after one instant, up to and including another,
// in Unix seconds. It costs a look at each period between them, not at each slot.
func (s *Schedule) count(after, until int64) int {
	after, until = max(after, earliest), min(until, latest)
	if after >= until {
		return 0
	}
	if s.every > 0 {
		return int(floorDiv(until, s.every) - floorDiv(after, s.every))
	}
	n := 0
	high := shown(s.loc, periodAt(s.loc, after), after)
	for t := after + 1; t <= until; {
		p := periodAt(s.loc, t)
		first, last := t+p.offset, min(p.end-1, until)+p.offset
		switch {
		case s.elapsed:
			n += s.countWalls(first, last)
		case first > high+1:
			// All that was skipped is due at this one instant, together with its own time.
			n += min(1, s.countWalls(high+1, first)) + s.countWalls(first+1, last)
		default:
			n += s.countWalls(high+1, last)
		}
		high = max(high, last)
		t = p.end
	}
	return n
}
