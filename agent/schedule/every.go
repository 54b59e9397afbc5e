package schedule

import (
	"strconv"
	"strings"
	"time"
)

// parseEvery reads the duration of @every in seconds.
func parseEvery(expression string, words []string) (int64, *Error) {
	const example = "write a duration such as @every 90s, @every 1h30m or @every 2d"
	switch len(words) {
	case 0:
		return 0, wrong(expression, "lacks a duration", example)
	case 1:
	default:
		hint := example
		if d, ok := parseDuration(strings.Join(words, "")); ok && d > 0 {
			hint = "write it without spaces: @every " + strings.Join(words, "")
		}
		return 0, wrong(expression, "has more than a duration", hint)
	}
	d, ok := parseDuration(words[0])
	switch {
	case !ok:
		return 0, wrong(expression, "has a bad duration "+quote(words[0]), example)
	case d < time.Second:
		return 0, wrong(expression, "is more often than every second", "use at least @every 1s")
	case d%time.Second != 0:
		return 0, wrong(expression, "has a fraction of a second", "use whole seconds: @every "+d.Round(time.Second).String())
	}
	return int64(d / time.Second), nil
}

// parseDuration reads what time.ParseDuration does, and whole days in front.
func parseDuration(text string) (time.Duration, bool) {
	var d time.Duration
	if days, rest, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 32)
		const most = uint64(1<<63-1) / uint64(24*time.Hour)
		if err != nil || n > most {
			return 0, false
		}
		if d = time.Duration(n) * 24 * time.Hour; rest == "" {
			return d, true
		}
		text = rest
		if strings.HasPrefix(text, "-") || strings.HasPrefix(text, "+") {
			return 0, false
		}
	}
	rest, err := time.ParseDuration(text)
	if err != nil || rest > 1<<63-1-d {
		return 0, false
	}
	return d + rest, true
}
