package web

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/apimeld/agent/agent/runlog"
	"github.com/apimeld/agent/agent/store"
)

// readBytes is how many bytes of compressed chunks are asked of the store at once.
const readBytes = 256 << 10

// A place is where reading a log stands: after which chunk, and what the
// next one should begin with when nothing has been cut out in between.
type place struct {
	store.LogPosition
	nextLine int64
	nextByte int64
}

// String writes the place as addresses and event ids carry it.
func (p place) String() string {
	return fmt.Sprintf("%d.%d.%d.%d", p.Attempt, p.Seq, p.nextLine, p.nextByte)
}

// parsePlace reads what [place.String] wrote; anything else is the beginning.
func parsePlace(s string) place {
	var n [4]int64
	parts := strings.Split(s, ".")
	if len(parts) != len(n) {
		return place{}
	}
	for i, part := range parts {
		v, err := strconv.ParseInt(part, 10, 64)
		if err != nil || v < 0 || v > 1<<53 {
			return place{}
		}
		n[i] = v
	}
	if n[0] < 1 || n[2] < 1 {
		return place{}
	}
	return place{store.LogPosition{Attempt: int(n[0]), Seq: int(n[1])}, n[2], n[3]}
}

// A logLine is a line with the attempt that wrote it.
type logLine struct {
	Attempt int
	runlog.Line
}

// A logReader reads a run's log from a place on, also while it grows.
type logReader struct {
	store  *store.Store
	run    string
	at     place
	reader runlog.Reader
}

func newLogReader(s *store.Store, runID string, at place) *logReader {
	l := &logReader{store: s, run: runID, at: at}
	if at.Attempt > 0 {
		// A chunk without data moves the reader to the place and has no lines.
		// It cannot fail: nothing is unpacked.
		_, _ = l.reader.Lines(runlog.Chunk{Attempt: at.Attempt, Seq: at.Seq, FirstLine: 1, Lines: int(at.nextLine - 1), Bytes: int(at.nextByte)})
	}
	return l
}

// chunks returns what is there after the place, some of it at least when there is any.
func (l *logReader) chunks(ctx context.Context) ([]runlog.Chunk, error) {
	return l.store.Log(ctx, l.run, l.at.LogPosition, readBytes)
}

// lines unpacks a chunk and moves the place behind it.
func (l *logReader) lines(c runlog.Chunk) ([]logLine, error) {
	lines, err := l.reader.Lines(c)
	if err != nil {
		return nil, err
	}
	l.skip(c)
	all := make([]logLine, len(lines))
	for i := range lines {
		all[i] = logLine{c.Attempt, lines[i]}
	}
	return all, nil
}

func (l *logReader) skip(c runlog.Chunk) {
	l.at = place{store.LogPosition{Attempt: c.Attempt, Seq: c.Seq}, c.FirstLine + int64(c.Lines), c.FirstByte + int64(c.Bytes)}
}

// cost is what showing a chunk takes, in bytes: each line brings its number,
// time and marks along.
func cost(c runlog.Chunk) int { return c.Bytes + 100*c.Lines }

// read returns the lines after the place until they cost the budget; the last
// chunk may exceed it. It reports whether there are more.
func (l *logReader) read(ctx context.Context, budget int) (lines []logLine, more bool, err error) {
	for {
		chunks, err := l.chunks(ctx)
		if err != nil {
			return lines, false, err
		}
		if len(chunks) == 0 {
			return lines, false, nil
		}
		for _, c := range chunks {
			if budget <= 0 {
				return lines, true, nil
			}
			got, err := l.lines(c)
			if err != nil {
				return lines, false, err
			}
			lines = append(lines, got...)
			budget -= cost(c)
		}
	}
}

// toEnd moves to where what is left costs the budget. It unpacks nothing.
func (l *logReader) toEnd(ctx context.Context, budget int) error {
	type step struct {
		at   place // before the chunk
		cost int
	}
	var last []step
	held := 0
	for {
		chunks, err := l.chunks(ctx)
		if err != nil {
			return err
		}
		if len(chunks) == 0 {
			break
		}
		for _, c := range chunks {
			last = append(last, step{l.at, cost(c)})
			held += cost(c)
			for len(last) > 1 && held-last[0].cost >= budget {
				held -= last[0].cost
				last = last[1:]
			}
			l.skip(c)
		}
	}
	if len(last) > 0 {
		*l = *newLogReader(l.store, l.run, last[0].at)
	}
	return nil
}
