// Package runlog is a run's log: its lines, how they are bounded while the
// script writes them, and the chunks that they are kept in.
//
// It knows no database and no process: lines go in, chunks come out through a
// function, and chunks turn back into lines.
package runlog

import "time"

// Stream says where a line came from.
type Stream string

// The streams: the script's two outputs, its logger, and the agent's own remarks.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
	Logger Stream = "logger"
	Agent  Stream = "agent"
)

// Level is a logger line's level; empty for other streams.
type Level string

// The levels, lowest first.
const (
	Debug   Level = "debug"
	Info    Level = "info"
	Warning Level = "warning"
	Error   Level = "error"
)

// A Line is one line of a log, without its line end.
type Line struct {
	Time   time.Time `json:"t"`
	Stream Stream    `json:"s"`
	Level  Level     `json:"l,omitempty"`
	Text   string    `json:"m"`

	Number int64 `json:"-"` // from 1 within its attempt, counting lines that were cut out
}

// A Chunk is some successive lines of one attempt, compressed. Chunks of an
// attempt are numbered from 0; where lines are missing between two of them,
// they were cut out to stay within the limit.
type Chunk struct {
	Attempt   int
	Seq       int
	FirstLine int64 // number of its first line within the attempt, from 1
	FirstByte int64 // offset of its first line's text in what the attempt wrote, line ends counted
	Lines     int
	Bytes     int    // of text, line ends counted
	Data      []byte // zstd-compressed NDJSON of Line
}
