package words

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Cron says a cron expression in English, where that is shorter than a
// riddle; empty for all others, which are better read as they are.
func Cron(expression string) string {
	expression = strings.TrimSpace(expression)
	if strings.HasPrefix(expression, "@") {
		return descriptor(expression)
	}
	f := strings.Fields(expression)
	if len(f) == 6 {
		if step, ok := steps(f[0], 60); ok && f[0] != "0" && strings.Join(f[1:], "") == "*****" {
			return every(step, "second")
		}
		if f[0] != "0" {
			return ""
		}
		f = f[1:]
	}
	if len(f) != 5 {
		return ""
	}
	for i, field := range f {
		if field == "?" {
			f[i] = "*"
		}
	}
	clock, repeats := clock(f[0], f[1])
	days, ok := days(f[2], f[4])
	month, ok2 := months(f[3])
	if clock == "" || !ok || !ok2 {
		return ""
	}
	if days == "" && !repeats {
		days = "every day"
	}
	parts := slices.DeleteFunc([]string{days, clock, month}, func(s string) bool { return s == "" })
	if repeats {
		parts = slices.DeleteFunc([]string{clock, days, month}, func(s string) bool { return s == "" })
	}
	return strings.Join(parts, " ")
}

func descriptor(d string) string {
	if rest, ok := strings.CutPrefix(d, "@every "); ok {
		step, err := time.ParseDuration(strings.TrimSpace(rest))
		if err != nil || step <= 0 {
			return ""
		}
		for _, u := range []struct {
			unit time.Duration
			name string
		}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
			if step%u.unit == 0 {
				return every(int(step/u.unit), u.name)
			}
		}
		return "every " + step.String()
	}
	return map[string]string{
		"@yearly":   "every year on 1 January at 00:00",
		"@annually": "every year on 1 January at 00:00",
		"@monthly":  "on the 1st of the month at 00:00",
		"@weekly":   "on Sunday at 00:00",
		"@daily":    "every day at 00:00",
		"@midnight": "every day at 00:00",
		"@hourly":   "every hour",
	}[d]
}

func every(n int, unit string) string {
	if n == 1 {
		return "every " + unit
	}
	return fmt.Sprintf("every %d %ss", n, unit)
}

// clock says the minute and hour fields; repeats tells that it is more often than daily.
func clock(minute, hour string) (s string, repeats bool) {
	if hours, ok := numbers(hour, 0, 23, nil); ok {
		minutes, ok := numbers(minute, 0, 59, nil)
		if ok && len(hours)*len(minutes) <= 4 {
			var times []string
			for _, h := range hours {
				for _, m := range minutes {
					times = append(times, fmt.Sprintf("%02d:%02d", h, m))
				}
			}
			return "at " + and(times), false
		}
	}
	span := ""
	if from, to, ok := interval(hour, 0, 23, nil); ok {
		span = fmt.Sprintf(" from %02d:00 to %02d:59", from, to)
	} else if _, ok := steps(hour, 24); !ok {
		return "", false
	}
	hourly, _ := steps(hour, 24)
	if span != "" {
		hourly = 1
	}
	if step, ok := steps(minute, 60); ok {
		if hourly != 1 {
			return "", false
		}
		return every(step, "minute") + span, true
	}
	minutes, ok := numbers(minute, 0, 59, nil)
	if !ok || len(minutes) > 4 {
		return "", false
	}
	if len(minutes) == 1 && minutes[0] == 0 {
		return every(hourly, "hour") + span, true
	}
	var marks []string
	for _, m := range minutes {
		marks = append(marks, fmt.Sprintf(":%02d", m))
	}
	return every(hourly, "hour") + " at " + and(marks) + span, true
}

var (
	weekdays   = map[string]int{"SUN": 0, "MON": 1, "TUE": 2, "WED": 3, "THU": 4, "FRI": 5, "SAT": 6}
	monthNames = map[string]int{"JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6, "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10, "NOV": 11, "DEC": 12}
)

// days says the day fields; empty for every day.
func days(ofMonth, ofWeek string) (string, bool) {
	month, ok := daysOfMonth(ofMonth)
	week, ok2 := daysOfWeek(ofWeek)
	switch {
	case !ok || !ok2:
		return "", false
	case month != "" && week != "":
		return month + " or " + week, true // both given: either, as cron has it
	}
	return month + week, true
}

func daysOfMonth(field string) (string, bool) {
	if field == "*" {
		return "", true
	}
	n, ok := numbers(field, 1, 31, nil)
	if !ok || len(n) > 4 {
		return "", false
	}
	var s []string
	for _, d := range n {
		s = append(s, ordinal(d))
	}
	return "on the " + and(s) + " of the month", true
}

func daysOfWeek(field string) (string, bool) {
	if field == "*" {
		return "", true
	}
	n, ok := numbers(field, 0, 7, weekdays)
	if from, to, isSpan := interval(field, 0, 7, weekdays); isSpan {
		n, ok = nil, true
		for d := from; d <= to; d++ {
			n = append(n, d)
		}
	}
	if !ok {
		return "", false
	}
	set := map[int]bool{}
	for _, d := range n {
		set[d%7] = true
	}
	var s []string
	for _, d := range []int{1, 2, 3, 4, 5, 6, 0} {
		if set[d] {
			s = append(s, time.Weekday(d).String())
		}
	}
	switch all := strings.Join(s, " "); {
	case len(s) == 7:
		return "", true
	case all == "Monday Tuesday Wednesday Thursday Friday":
		return "on weekdays", true
	case all == "Saturday Sunday":
		return "on weekends", true
	}
	return "on " + and(s), true
}

func months(field string) (string, bool) {
	if field == "*" {
		return "", true
	}
	if from, to, ok := interval(field, 1, 12, monthNames); ok {
		return fmt.Sprintf("from %s to %s", time.Month(from), time.Month(to)), true
	}
	n, ok := numbers(field, 1, 12, monthNames)
	if !ok || len(n) > 4 {
		return "", false
	}
	var s []string
	for _, m := range n {
		s = append(s, time.Month(m).String())
	}
	return "in " + and(s), true
}

// steps reads * and */N, where N divides the whole: only then it means every N.
func steps(field string, whole int) (int, bool) {
	if field == "*" {
		return 1, true
	}
	rest, ok := strings.CutPrefix(field, "*/")
	n, err := strconv.Atoi(rest)
	if !ok || err != nil || n <= 0 || whole%n != 0 {
		return 0, false
	}
	return n, true
}

// numbers reads a list without ranges or steps.
func numbers(field string, low, high int, names map[string]int) ([]int, bool) {
	var n []int
	for part := range strings.SplitSeq(field, ",") {
		v, ok := number(part, low, high, names)
		if !ok {
			return nil, false
		}
		n = append(n, v)
	}
	slices.Sort(n)
	return slices.Compact(n), true
}

// interval reads one range without a step.
func interval(field string, low, high int, names map[string]int) (from, to int, ok bool) {
	a, b, ok := strings.Cut(field, "-")
	if !ok {
		return 0, 0, false
	}
	from, ok1 := number(a, low, high, names)
	to, ok2 := number(b, low, high, names)
	return from, to, ok1 && ok2 && from <= to
}

func number(s string, low, high int, names map[string]int) (int, bool) {
	if v, ok := names[strings.ToUpper(s)]; ok {
		return v, true
	}
	v, err := strconv.Atoi(s)
	return v, err == nil && v >= low && v <= high && !strings.HasPrefix(s, "+")
}

func ordinal(n int) string {
	suffix := "th"
	if n/10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

func and(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}
