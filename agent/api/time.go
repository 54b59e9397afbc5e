package api

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// timeFormat is RFC 3339 with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// A Time is an instant, written in UTC with milliseconds.
type Time struct{ time.Time }

// MarshalJSON writes the time as a string.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.UTC().Format(timeFormat) + `"`), nil
}

// UnmarshalJSON reads any RFC 3339 time.
func (t *Time) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("read time %s: %w", b, err)
	}
	parsed, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("read time: %w", err)
	}
	t.Time = parsed
	return nil
}

// Seconds is a duration as the API writes it, to the millisecond.
func Seconds(d time.Duration) float64 {
	return math.Round(d.Seconds()*1000) / 1000
}

// A Position is a line's place in a run's log: its attempt, and its number
// within that. The zero Position is before the first line.
type Position struct {
	Attempt int
	Line    int64
}

// Before reports whether the position is ahead of the line.
func (p Position) Before(l Line) bool {
	return p.Attempt < l.Attempt || p.Attempt == l.Attempt && p.Line < l.Number
}

// String writes the position as ?after= takes it.
func (p Position) String() string {
	return fmt.Sprintf("%d.%d", p.Attempt, p.Line)
}

// ParsePosition reads what [Position.String] wrote; nothing is the beginning.
func ParsePosition(s string) (Position, error) {
	if s == "" {
		return Position{}, nil
	}
	attempt, line, _ := strings.Cut(s, ".")
	a, err := strconv.Atoi(attempt)
	n, err2 := strconv.ParseInt(line, 10, 64)
	if err != nil || err2 != nil || a < 0 || n < 0 {
		return Position{}, fmt.Errorf("read log position %q: %w\nwrite ATTEMPT.LINE, such as 1.250", s, ErrInvalid)
	}
	return Position{a, n}, nil
}
