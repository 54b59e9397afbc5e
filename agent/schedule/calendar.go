package schedule

import "math/bits"

// A time on the wall is counted in seconds since 1970-01-01 00:00:00 on the
// same wall, as if that wall had never changed its clock. On this line cron's
// fields are plain arithmetic; zone.go leads from it to instants.

const (
	day = 24 * 60 * 60

	// Between two 29 Februaries on a given weekday lie up to 40 years, when a
	// century's leap day is left out in between.
	horizon = 41 * 12 // months
)

// nextWall is the first matching time on the wall at or after the given one.
func (s *Schedule) nextWall(from int64) (int64, bool) {
	d := floorDiv(from, day)
	clock, today := s.nextClock(int(from - d*day))
	match, ok := s.nextDay(d)
	if ok && match == d && !today {
		match, ok = s.nextDay(d + 1)
	}
	if !ok {
		return 0, false
	}
	if match != d || !today {
		clock, _ = s.nextClock(0)
	}
	return match*day + int64(clock), true
}

// nextClock is the first matching second of a day at or after the given one.
func (s *Schedule) nextClock(from int) (int, bool) {
	h, m, sec := from/3600, from/60%60, from%60
	if s.hour>>h&1 != 0 {
		if s.minute>>m&1 != 0 {
			if rest := s.second >> sec; rest != 0 {
				return from + bits.TrailingZeros64(rest), true
			}
		}
		if rest := s.minute >> (m + 1); rest != 0 {
			m += 1 + bits.TrailingZeros64(rest)
			return h*3600 + m*60 + bits.TrailingZeros64(s.second), true
		}
	}
	rest := s.hour >> (h + 1)
	if rest == 0 {
		return 0, false
	}
	h += 1 + bits.TrailingZeros32(rest)
	return h*3600 + bits.TrailingZeros64(s.minute)*60 + bits.TrailingZeros64(s.second), true
}

// nextDay is the first matching day since 1970-01-01 at or after the given one.
func (s *Schedule) nextDay(from int64) (int64, bool) {
	c := monthOf(from)
	for range horizon {
		if days := s.days(c) &^ (1<<(from-c.first) - 1); days != 0 {
			return c.first + int64(bits.TrailingZeros32(days)), true
		}
		c = c.next()
		from = c.first
	}
	return 0, false
}

// days is the mask of the matching days of a month; bit 0 is its first.
func (s *Schedule) days(c month) uint32 {
	if s.month>>c.month&1 == 0 {
		return 0
	}
	weekdays := uint64(s.dow) * (1 | 1<<7 | 1<<14 | 1<<21 | 1<<28 | 1<<35) >> c.weekday()
	mask := s.dom & uint32(weekdays)
	if s.eitherDay {
		mask = s.dom | uint32(weekdays)
	}
	return mask & (1<<c.length - 1)
}

// countWalls is how many matching times there are from first to last.
func (s *Schedule) countWalls(first, last int64) int {
	if first > last {
		return 0
	}
	base := floorDiv(first, day)
	return s.countSince(base, last+1) - s.countSince(base, first)
}

// countSince is how many matching times there are from the start of a day
// until, and not including, a time.
func (s *Schedule) countSince(base, wall int64) int {
	d := floorDiv(wall, day)
	return s.countDays(base, d)*s.countClock(day) +
		s.countDays(d, d+1)*s.countClock(int(wall-d*day))
}

// countClock is how many matching seconds a day has before the given one.
func (s *Schedule) countClock(before int) int {
	h, m, sec := before/3600, before/60%60, before%60
	seconds, minutes := bits.OnesCount64(s.second), bits.OnesCount64(s.minute)
	n := bits.OnesCount32(s.hour&(1<<h-1)) * minutes * seconds
	if s.hour>>h&1 != 0 {
		n += bits.OnesCount64(s.minute&(1<<m-1)) * seconds
		if s.minute>>m&1 != 0 {
			n += bits.OnesCount64(s.second & (1<<sec - 1))
		}
	}
	return n
}

// countDays is how many matching days there are from one day until, and not
// including, another.
func (s *Schedule) countDays(from, until int64) int {
	n := 0
	for c := monthOf(from); from < until; c = c.next() {
		days := s.days(c) &^ (1<<(from-c.first) - 1)
		if left := until - c.first; left < int64(c.length) {
			days &= 1<<left - 1
		}
		n += bits.OnesCount32(days)
		from = c.first + int64(c.length)
	}
	return n
}

// A month is one month of the Gregorian calendar, carried on to all years.
type month struct {
	year   int64
	month  int   // 1 to 12
	length int   // in days
	first  int64 // its first day, in days since 1970-01-01
}

// monthOf is the month in which a day lies.
func monthOf(d int64) month {
	// Years are counted from 1 March, so that the leap day is the last of its
	// year and the lengths of the months before it repeat in steps of 153 days
	// for five months.
	d0 := d + 719468 // since 0000-03-01
	era := floorDiv(d0, 146097)
	inEra := d0 - era*146097
	year := (inEra - inEra/1460 + inEra/36524 - inEra/146096) / 365
	inYear := inEra - (365*year + year/4 - year/100)
	fromMarch := (5*inYear + 2) / 153
	dayOfMonth := inYear - (153*fromMarch+2)/5
	m := month{year: era*400 + year, month: int(fromMarch) + 3, first: d - dayOfMonth}
	if m.month > 12 {
		m.month -= 12
		m.year++
	}
	m.length = daysIn(m.year, m.month)
	return m
}

func (m month) next() month {
	m.first += int64(m.length)
	if m.month++; m.month > 12 {
		m.month = 1
		m.year++
	}
	m.length = daysIn(m.year, m.month)
	return m
}

// weekday is the weekday of the month's first day, 0 for Sunday.
func (m month) weekday() int {
	return int(floorMod(m.first+4, 7)) // 1970-01-01 was a Thursday
}

func daysIn(year int64, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
