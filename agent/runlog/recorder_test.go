package runlog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func read(t *testing.T, chunks []Chunk) []Line {
	t.Helper()
	var r Reader
	var all []Line
	for _, c := range chunks {
		lines, err := r.Lines(c)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, lines...)
	}
	return all
}

func TestRoundTrip(t *testing.T) {
	r := NewRecorder(RecorderConfig{Attempt: 1})
	want := []Line{
		{Time: noon, Stream: Stdout, Text: "plain", Number: 1},
		{Time: noon.Add(time.Millisecond), Stream: Stderr, Text: "quotes \" <b> & 🙂", Number: 2},
		{Time: noon, Stream: Logger, Level: Warning, Text: "", Number: 3},
	}
	for _, l := range want {
		r.Add(l)
	}
	chunks, drop := r.Take()
	if len(drop) != 0 {
		t.Errorf("dropped %v", drop)
	}
	if diff := cmp.Diff(want, read(t, chunks)); diff != "" {
		t.Error(diff)
	}
	if chunks, drop := r.Take(); len(chunks)+len(drop) != 0 {
		t.Errorf("a second Take gave %d chunks, %d drops", len(chunks), len(drop))
	}
}

// TestHeadAndTail writes far more than the limit, with takes in between or
// not, and wants the first and last lines and a remark with the right count.
func TestHeadAndTail(t *testing.T) {
	const limit, total = 1 << 20, 100_000
	for _, every := range []int{0, 1000, 30_000} {
		t.Run(fmt.Sprintf("take every %d", every), func(t *testing.T) {
			r := NewRecorder(RecorderConfig{Attempt: 2, Limit: limit})
			stored := map[int]Chunk{}
			take := func() {
				chunks, drop := r.Take()
				keep(t, stored, chunks, drop)
			}
			pad := strings.Repeat("x", 60)
			for i := range total {
				r.Add(Line{Time: noon, Stream: Stdout, Text: fmt.Sprintf("%06d %s", i, pad)})
				if every > 0 && i%every == 0 {
					take()
				}
			}
			take()
			var chunks []Chunk
			var bytes int
			for seq := range total {
				if c, ok := stored[seq]; ok {
					chunks, bytes = append(chunks, c), bytes+c.Bytes
				}
			}
			if bytes > limit+2*chunkBytes {
				t.Errorf("%d bytes are kept, the limit is %d", bytes, limit)
			}
			lines := read(t, chunks)
			if !strings.HasPrefix(lines[0].Text, "000000 ") || !strings.HasPrefix(lines[len(lines)-1].Text, "099999 ") {
				t.Errorf("kept %q … %q", lines[0].Text, lines[len(lines)-1].Text)
			}
			remarks := 0
			for i, l := range lines {
				if l.Stream != Agent {
					continue
				}
				remarks++
				gap := lines[i+1].Number - lines[i-1].Number - 1
				if want := thousands(gap) + " lines"; !strings.Contains(l.Text, want) {
					t.Errorf("remark %q does not say %q", l.Text, want)
				}
			}
			if remarks != 1 {
				t.Errorf("%d remarks, want 1", remarks)
			}
		})
	}
}

func TestTail(t *testing.T) {
	r := NewRecorder(RecorderConfig{Attempt: 1})
	for i := range 500 {
		r.Add(Line{Time: noon, Stream: Stdout, Text: fmt.Sprint(i)})
	}
	r.Add(Line{Time: noon, Stream: Agent, Text: "a remark is not output"})
	lines, before := r.Tail(3)
	if diff := cmp.Diff([]string{"497", "498", "499"}, lines); diff != "" {
		t.Error(diff)
	}
	if before != 497 {
		t.Errorf("before = %d", before)
	}
}

// TestUntake gives chunks back, as after a failed write, while more lines
// come, and wants the same log as without.
func TestUntake(t *testing.T) {
	r := NewRecorder(RecorderConfig{Attempt: 1, Limit: 1 << 20})
	stored := map[int]Chunk{}
	pad := strings.Repeat("x", 60)
	for i := range 60_000 {
		r.Add(Line{Time: noon, Stream: Stdout, Text: fmt.Sprintf("%06d %s", i, pad)})
		if i%7000 != 0 {
			continue
		}
		chunks, drop := r.Take()
		if i%3 != 0 {
			for range 9000 {
				r.Add(Line{Time: noon, Stream: Stdout, Text: pad})
			}
			r.Untake(chunks, drop)
			if !r.Waiting() {
				t.Fatal("nothing waits after Untake")
			}
			continue
		}
		keep(t, stored, chunks, drop)
	}
	chunks, drop := r.Take()
	keep(t, stored, chunks, drop)
	var all []Chunk
	for seq := range 10_000 {
		if c, ok := stored[seq]; ok {
			all = append(all, c)
		}
	}
	lines := read(t, all)
	gaps := 0
	for _, l := range lines {
		if l.Stream == Agent {
			gaps++
		}
	}
	if gaps != 1 || lines[0].Number != 1 || !strings.HasPrefix(lines[len(lines)-1].Text, "059999 ") {
		t.Errorf("%d gaps, from %d to %q", gaps, lines[0].Number, lines[len(lines)-1].Text)
	}
}

func keep(t *testing.T, stored map[int]Chunk, chunks, drop []Chunk) {
	t.Helper()
	for _, c := range chunks {
		stored[c.Seq] = c
	}
	for _, c := range drop {
		if _, ok := stored[c.Seq]; !ok {
			t.Fatalf("dropped chunk %d, which was never kept", c.Seq)
		}
		delete(stored, c.Seq)
	}
}

func TestDecodeGarbage(t *testing.T) {
	for _, data := range [][]byte{nil, []byte("garbage"), encode([]Line{{Text: "x"}})[:5]} {
		if lines, err := Decode(Chunk{Data: data}); err == nil && len(lines) > 0 {
			t.Errorf("Decode(%q) = %v", data, lines)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	line := Line{Time: noon, Stream: Stdout, Text: strings.Repeat("some output ", 8)}
	r := NewRecorder(RecorderConfig{Attempt: 1})
	b.SetBytes(int64(len(line.Text)))
	for b.Loop() {
		r.Add(line)
	}
}
