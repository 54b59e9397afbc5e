package runlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxDecoded bounds what one chunk may unpack to. A chunk holds little more
// than chunkBytes of text, which JSON can swell sixfold.
const maxDecoded = 16 << 20

// The coders hold no state between calls and are safe for concurrent use, so
// one of each serves the process.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil,
			zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithWindowSize(128<<10),
			zstd.WithEncoderConcurrency(2))
		if err != nil {
			panic(err) // the options above are constants
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(2),
			zstd.WithDecoderMaxMemory(maxDecoded))
		if err != nil {
			panic(err) // the options above are constants
		}
		return d
	})
)

func encode(lines []Line) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for i := range lines {
		// A Line has nothing that JSON cannot hold: invalid UTF-8 becomes U+FFFD.
		if err := e.Encode(&lines[i]); err != nil {
			panic(err)
		}
	}
	return encoder().EncodeAll(b.Bytes(), nil)
}

// Decode returns a chunk's lines with their numbers.
func Decode(c Chunk) ([]Line, error) {
	text, err := decoder().DecodeAll(c.Data, nil)
	if err != nil {
		return nil, fmt.Errorf("unpack log chunk %d of attempt %d: %w", c.Seq, c.Attempt, err)
	}
	lines := make([]Line, 0, c.Lines)
	d := json.NewDecoder(bytes.NewReader(text))
	for d.More() {
		var l Line
		if err := d.Decode(&l); err != nil {
			return lines, fmt.Errorf("read log chunk %d of attempt %d: %w", c.Seq, c.Attempt, err)
		}
		l.Number = c.FirstLine + int64(len(lines))
		lines = append(lines, l)
	}
	return lines, nil
}

// A Reader decodes successive chunks of a run and puts a remark of the agent
// where lines were cut out. The zero value is ready, at the run's beginning.
type Reader struct {
	attempt  int
	nextLine int64
	nextByte int64
}

// Lines returns the lines of the next chunk.
func (r *Reader) Lines(c Chunk) ([]Line, error) {
	if c.Attempt != r.attempt {
		r.attempt, r.nextLine, r.nextByte = c.Attempt, 1, 0
	}
	lines, err := Decode(c)
	if err != nil {
		return nil, err
	}
	if gap := c.FirstLine - r.nextLine; gap > 0 && len(lines) > 0 {
		remark := Line{
			Time:   lines[0].Time,
			Stream: Agent,
			Level:  Warning,
			Number: r.nextLine,
			Text:   fmt.Sprintf("… %s lines (%s) are cut out here: the log was too long, and keeps its head and its tail", thousands(gap), size(c.FirstByte-r.nextByte)),
		}
		lines = append([]Line{remark}, lines...)
	}
	r.nextLine, r.nextByte = c.FirstLine+int64(c.Lines), c.FirstByte+int64(c.Bytes)
	return lines, nil
}

// thousands writes n with a comma between each three digits.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size writes a number of bytes in the largest unit that gives at least 1.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
