package schedule

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

// An Error says what is wrong with one half of a [Spec] and what to do about it.
type Error struct {
	Field   string // "cron" or "timezone"
	Value   string // as written
	Message string // names the value; lowercase, no full stop
	Hint    string // the way out, for a line of its own
}

func (e *Error) Error() string { return e.Message + " (" + e.Hint + ")" }

// Parse parses one schedule; the time zone is an IANA name, or empty for UTC.
// Every error is an [*Error]. A date that never comes, such as 30 February, is
// none: [Schedule.Next] says so.
func Parse(cron, timezone string) (*Schedule, error) {
	return new(Parser).Parse(cron, timezone)
}

// A Parser parses schedules and gives equal ones only once, so that 100,000
// tasks that run hourly share one [Schedule]. The zero Parser is ready to use.
// It is safe for concurrent use, and keeps what it parsed as long as it lives.
type Parser struct {
	mu        sync.Mutex
	schedules map[key]*Schedule
	zones     map[string]*time.Location
}

type key struct{ cron, timezone string }

// Parse is like the function [Parse].
func (p *Parser) Parse(cron, timezone string) (*Schedule, error) {
	k := key{cron, timezone}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.schedules[k]; s != nil {
		return s, nil
	}
	s, problem := parse(cron)
	if problem != nil {
		return nil, problem
	}
	if s.loc, problem = p.zone(timezone); problem != nil {
		return nil, problem
	}
	// The caller's strings may be slices of a whole file.
	k.cron = strings.Clone(cron)
	if timezone != "" {
		k.timezone = s.loc.String()
	}
	if s.cron == cron {
		s.cron = k.cron
	}
	if p.schedules == nil {
		p.schedules = make(map[key]*Schedule)
	}
	p.schedules[k] = s
	return s, nil
}

// Zone is the time zone of an IANA name, or UTC for an empty one, and refuses
// what [Parse] refuses. To report a bad expression and a bad zone at once, ask
// for the zone first and parse the expression without it.
func (p *Parser) Zone(name string) (*time.Location, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	loc, problem := p.zone(name)
	if problem != nil {
		return nil, problem
	}
	return loc, nil
}

func (p *Parser) zone(name string) (*time.Location, *Error) {
	if loc := p.zones[name]; loc != nil {
		return loc, nil
	}
	loc, problem := loadZone(name)
	if problem != nil {
		return nil, problem
	}
	if p.zones == nil {
		p.zones = make(map[string]*time.Location)
	}
	p.zones[loc.String()] = loc
	return loc, nil
}

// parse parses an expression; the zone is left to the caller.
func parse(expression string) (*Schedule, *Error) {
	fields := strings.Fields(expression)
	s := &Schedule{cron: strings.Join(fields, " ")}
	if len(fields) == 0 {
		return nil, &Error{Field: "cron", Value: expression, Message: "cron is empty", Hint: `write when, such as "0 2 * * *" for 02:00 every day`}
	}
	switch first := fields[0]; {
	case strings.HasPrefix(first, "TZ=") || strings.HasPrefix(first, "CRON_TZ="):
		_, zone, _ := strings.Cut(first, "=")
		if zone == "" || len(zone) > 40 || strconv.Quote(zone) != `"`+zone+`"` {
			zone = "Europe/Berlin"
		}
		return nil, wrong(expression, "names a time zone", "move it to its own key, timezone: "+zone)
	case first == "@every":
		var problem *Error
		s.every, problem = parseEvery(expression, fields[1:])
		return s, problem
	case strings.HasPrefix(first, "@"):
		meaning, problem := descriptor(expression, fields)
		if problem != nil {
			return nil, problem
		}
		fields = strings.Fields(meaning)
	}
	switch len(fields) {
	case 5:
		fields = append([]string{"0"}, fields...)
	case 6:
	default:
		return nil, wrongCount(expression, len(fields))
	}
	for i, f := range fields {
		if problem := parts[i].check(expression, f); problem != nil {
			return nil, problem
		}
	}
	starred := func(i int) bool { return fields[i][0] == '*' || fields[i][0] == '?' }
	s.elapsed = starred(2)
	s.eitherDay = !starred(3) && !starred(5)
	fields[5] = sundays(fields[5])

	const all = cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow
	parsed, err := cron.NewParser(all).Parse(strings.Join(fields, " "))
	if err != nil {
		return nil, wrong(expression, err.Error(), "fields are minute, hour, day of month, month, day of week")
	}
	// Its highest bit marks a star, which counts for us only where a field begins.
	m := parsed.(*cron.SpecSchedule)
	s.second, s.minute = m.Second&(1<<60-1), m.Minute&(1<<60-1)
	s.hour, s.dom = uint32(m.Hour&(1<<24-1)), uint32(m.Dom&(1<<32-1)>>1)
	s.month, s.dow = uint16(m.Month&(1<<13-1)), uint8(m.Dow&(1<<7-1))
	return s, nil
}

// descriptor is what a name such as @daily stands for.
func descriptor(expression string, fields []string) (string, *Error) {
	const known = "use @yearly, @monthly, @weekly, @daily, @hourly or @every with a duration, such as @every 90s"
	if len(fields) > 1 {
		return "", wrong(expression, "has more than "+quote(fields[0]), "write "+fields[0]+" alone, or 5 fields instead of it")
	}
	switch fields[0] {
	case "@yearly", "@annually":
		return "0 0 1 1 *", nil
	case "@monthly":
		return "0 0 1 * *", nil
	case "@weekly":
		return "0 0 * * 0", nil
	case "@daily", "@midnight":
		return "0 0 * * *", nil
	case "@hourly":
		return "0 * * * *", nil
	case "@reboot":
		return "", wrong(expression, "is no time: a task is not tied to the start of a machine",
			"use @hourly or another time, or leave schedule out and start the task by hand or by its trigger")
	}
	return "", wrong(expression, "is an unknown name", known)
}
