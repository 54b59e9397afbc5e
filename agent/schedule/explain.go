package schedule

import (
	"fmt"
	"strconv"
	"strings"
)

// A part is one field of an expression. Its check is stricter than the parser,
// which takes empty items and what stands behind a star for granted, and says
// what a person can do.
type part struct {
	name     string
	min, max int
	names    string // of three letters each, in order; the first is the number named
	named    int
}

const weekdays, monthNames = "sunmontuewedthufrisat", "janfebmaraprmayjunjulaugsepoctnovdec"

// Read only.
var parts = [6]part{
	{name: "second", max: 59},
	{name: "minute", max: 59},
	{name: "hour", max: 23},
	{name: "day of month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, names: monthNames, named: 1},
	{name: "day of week", max: 7, names: weekdays},
}

// check finds what is wrong with a field.
func (p part) check(expression, field string) *Error {
	for item := range strings.SplitSeq(field, ",") {
		if problem := p.checkItem(expression, field, item); problem != nil {
			return problem
		}
	}
	return nil
}

func (p part) checkItem(expression, field, item string) *Error {
	bad := func(what, hint string) *Error { return wrong(expression, p.name+" "+what, hint) }
	if item == "" {
		return bad(quote(field)+" has an empty item in its list", "separate items by one comma, without spaces: 1,15,30")
	}
	span, step, stepped := strings.Cut(item, "/")
	if stepped {
		n, err := strconv.Atoi(step)
		switch {
		case !digits(step) || err == nil && n == 0:
			return bad(quote(item)+" has a bad step", "a step is a number from 1, such as */5")
		case err != nil || n > p.values():
			return bad(quote(item)+" has a step above "+strconv.Itoa(p.values()), p.stepHint(n))
		}
	}
	if span == "*" || span == "?" {
		return nil
	}
	from, to, ranged := strings.Cut(span, "-")
	low, ok := p.number(from)
	if !ok {
		return bad(p.why(item, from))
	}
	if !ranged {
		return nil
	}
	high, ok := p.end(low, to)
	if !ok {
		return bad(p.why(item, to))
	}
	if low > high {
		return bad(quote(item)+" is a range that runs backwards", "write "+p.halves(low, high, step))
	}
	return nil
}

// number reads a number or name of the field.
func (p part) number(text string) (int, bool) {
	if len(text) == 3 {
		if i := strings.Index(p.names, strings.ToLower(text)); i >= 0 && i%3 == 0 {
			return p.named + i/3, true
		}
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && digits(text) && p.min <= n && n <= p.max
}

// end reads the end of a range that begins at low. Sunday ends a week too.
func (p part) end(low int, text string) (int, bool) {
	n, ok := p.number(text)
	if p.names == weekdays && n == 0 && low > 0 && !digits(text) {
		n = 7
	}
	return n, ok
}

// values is how many different values the field has: Sunday has two numbers.
func (p part) values() int {
	if p.names == weekdays {
		return 7
	}
	return p.max - p.min + 1
}

// why says what is wrong with one value of an item, and what the field takes.
func (p part) why(item, value string) (what, hint string) {
	takes := fmt.Sprintf("%s is %d to %d", p.name, p.min, p.max)
	switch p.names {
	case weekdays:
		takes += " (0 and 7 are Sunday), or sun to sat"
	case monthNames:
		takes += ", or jan to dec"
	}
	upper := strings.ToUpper(value)
	switch {
	case value == "":
		return quote(item) + " lacks a number", takes
	case digits(value):
		if value == "24" && p.name == "hour" {
			takes += "; midnight is 0"
		}
		return quote(value) + " is out of range", takes
	case strings.ContainsAny(item, "#") || upper == "L" || upper == "W" || upper == "LW" || digits(strings.TrimRight(upper, "LW")):
		return quote(item) + " is not cron's", "L, W and # are of other schedulers; " + takes
	case len(value) > 3 && p.names != "":
		if _, ok := p.number(value[:3]); ok {
			return quote(value) + " is unknown", "names have three letters: " + strings.ToLower(value[:3])
		}
	}
	return quote(value) + " is not a number", takes
}

// stepHint is for a step that is longer than its field, which cron would take
// for the field's first value alone.
func (p part) stepHint(n int) string {
	unit := map[string]string{"second": "s", "minute": "m", "hour": "h"}[p.name]
	if unit == "" || n == 0 {
		return fmt.Sprintf("use a step of at most %d", p.values())
	}
	return fmt.Sprintf("steps begin anew with each %s; for every %d%s write @every %d%s", map[string]string{"s": "minute", "m": "hour", "h": "day"}[unit], n, unit, n, unit)
}

// halves writes a range that runs over the field's end as cron wants it.
func (p part) halves(low, high int, step string) string {
	by, last := 1, p.max
	if step != "" {
		by, _ = strconv.Atoi(step)
	}
	if p.names == weekdays {
		last = 6
	}
	span := func(from, to int) string {
		switch {
		case from == to:
			return strconv.Itoa(from)
		case by == 1:
			return fmt.Sprintf("%d-%d", from, to)
		}
		return fmt.Sprintf("%d-%d/%d", from, to, by)
	}
	if low > last { // 7, the other Sunday
		return span(0, high)
	}
	over := low
	for over <= last {
		over += by
	}
	if over -= p.values(); over > high {
		return span(low, last)
	}
	return span(low, last) + "," + span(over, high)
}

// sundays writes a checked day of week for the parser, which knows no 7.
func sundays(field string) string {
	p := parts[5]
	items := strings.Split(field, ",")
	for i, item := range items {
		span, step, stepped := strings.Cut(item, "/")
		from, to, ranged := strings.Cut(span, "-")
		low, ok := p.number(from)
		if !ok {
			continue // a star
		}
		if !ranged {
			if low == 7 {
				items[i] = "0" + item[1:]
			}
			continue
		}
		high, _ := p.end(low, to)
		if high < 7 {
			continue
		}
		by := 1
		if stepped {
			by, _ = strconv.Atoi(step)
		}
		var days []string
		for d := low; d <= high; d += by {
			days = append(days, strconv.Itoa(d%7))
		}
		items[i] = strings.Join(days, ",")
	}
	return strings.Join(items, ",")
}

// wrong is an error about the expression.
func wrong(expression, what, hint string) *Error {
	return &Error{Field: "cron", Value: expression, Message: "cron " + quote(expression) + ": " + what, Hint: hint}
}

func wrongCount(expression string, n int) *Error {
	e := wrong(expression, "", fmt.Sprintf("cron has 5 fields, or 6 with leading seconds; this has %d", n))
	e.Message = fmt.Sprintf("cron %s has %d fields", quote(expression), n)
	if n == 1 {
		e.Message = e.Message[:len(e.Message)-1]
	}
	if n == 7 {
		e.Hint += " (leave the year out)"
	}
	return e
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// quote names a value in a message, cut where it would fill the page.
func quote(value string) string {
	const most = 60
	if runes := []rune(value); len(runes) > most {
		value = string(runes[:most-1]) + "…"
	}
	return strconv.Quote(value)
}
