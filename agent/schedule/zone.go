package schedule

import (
	"math"
	"strings"
	"time"
)

// widest bounds how far a clock is from UTC, in seconds: the tz database has
// -15:56:08 (Manila) to +15:13:42 (Metlakatla), both before 1900.
const widest = 16 * 60 * 60

// A period is a span of time in which a zone's clock stays as far from UTC.
// Neighbours may have the same offset.
type period struct {
	offset     int64 // seconds east of UTC
	start, end int64 // Unix seconds; end is the first instant after it
}

func periodAt(loc *time.Location, t int64) period {
	p := period{start: math.MinInt64, end: math.MaxInt64}
	if loc == time.UTC {
		return p
	}
	at := time.Unix(t, 0).In(loc)
	_, offset := at.Zone()
	p.offset = int64(offset)
	start, end := at.ZoneBounds()
	if !start.IsZero() {
		p.start = start.Unix()
	}
	if !end.IsZero() {
		p.end = end.Unix()
	}
	if p.end <= t {
		// Beyond the zone's table the time package cuts periods at the end of
		// a year, which it takes for 365 days: on 31 December of a leap year
		// the end is in the past (tzset in time/zoneinfo.go).
		p.end = (floorDiv(t, day) + 1) * day
	}
	return p
}

// shown is the latest time that the clock has shown until t, which lies in p:
// after it was set back, that is more than it shows now.
func shown(loc *time.Location, p period, t int64) int64 {
	high := t + p.offset
	for p.start > t-2*widest {
		before := p.start - 1
		p = periodAt(loc, before)
		high = max(high, before+p.offset)
		if p.start > before {
			break
		}
	}
	return high
}

// loadZone finds a time zone by its IANA name. What would mean something else
// on another machine, or counts leap seconds, is refused.
func loadZone(name string) (*time.Location, *Error) {
	switch {
	case name == "" || name == "UTC":
		return time.UTC, nil
	case name == "Local" || name == "localtime":
		return nil, &Error{
			Field: "timezone", Value: name,
			Message: "timezone " + quote(name) + " differs from machine to machine",
			Hint:    "write the zone itself, an IANA name such as Europe/Berlin",
		}
	}
	if !strings.HasPrefix(name, "right/") && !strings.HasPrefix(name, "posix") && name != "Factory" {
		if loc, err := time.LoadLocation(name); err == nil {
			return loc, nil
		}
	}
	return nil, &Error{
		Field: "timezone", Value: name,
		Message: "timezone " + quote(name) + " is unknown",
		Hint:    zoneHint(name),
	}
}

func zoneHint(name string) string {
	if zone := similarZone(name); zone != "" {
		return "did you mean " + zone + "?"
	}
	if rest := strings.TrimLeft(strings.ToUpper(strings.TrimSpace(name)), "UTCGM"); rest != "" && strings.ContainsAny(rest[:1], "+-0123456789") {
		return "use an IANA name such as Europe/Berlin; two hours ahead of UTC all year is Etc/GMT-2, with this sign"
	}
	return "use an IANA name such as Europe/Berlin"
}

// similarZone guesses which zone was meant: an abbreviation that is no zone, a
// city without its continent, or a name in the wrong case or with spaces. The
// tz database itself says which guess exists, so that no list of it is needed.
func similarZone(name string) string {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 40 {
		return ""
	}
	switch strings.ToUpper(name) {
	case "Z", "ZULU":
		return "UTC"
	case "CEST", "MEZ", "MESZ":
		return "Europe/Berlin"
	case "WEST":
		return "Europe/Lisbon"
	case "EEST":
		return "Europe/Athens"
	case "BST":
		return "Europe/London"
	case "MSK":
		return "Europe/Moscow"
	case "ET", "EDT":
		return "America/New_York"
	case "CT", "CST", "CDT":
		return "America/Chicago"
	case "MT", "MDT":
		return "America/Denver"
	case "PT", "PST", "PDT":
		return "America/Los_Angeles"
	case "IST":
		return "Asia/Kolkata"
	case "JST":
		return "Asia/Tokyo"
	case "KST":
		return "Asia/Seoul"
	case "SGT":
		return "Asia/Singapore"
	case "AEST", "AEDT":
		return "Australia/Sydney"
	}
	zone := titled(name)
	tries := []string{zone, strings.ToUpper(name)}
	if !strings.Contains(zone, "/") {
		for _, area := range []string{"Europe", "America", "Asia", "Africa", "Australia", "Pacific", "Atlantic", "Indian"} {
			tries = append(tries, area+"/"+zone)
		}
	}
	for _, try := range tries {
		if _, err := time.LoadLocation(try); err == nil {
			return try
		}
	}
	return ""
}

// titled writes a name as the tz database does: America/New_York, Africa/Dar_es_Salaam.
func titled(name string) string {
	var b strings.Builder
	start := true
	for _, word := range strings.SplitAfter(strings.ReplaceAll(strings.ToLower(name), " ", "_"), "_") {
		if word == "es_" || word == "of_" {
			b.WriteString(word)
			continue
		}
		for _, r := range word {
			if start && 'a' <= r && r <= 'z' {
				r -= 'a' - 'A'
			}
			start = r == '/' || r == '-' || r == '_'
			b.WriteRune(r)
		}
		start = true
	}
	return b.String()
}
