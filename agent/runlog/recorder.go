package runlog

import (
	"slices"
	"sync"
)

// DefaultLimit is how many bytes of text are kept of one attempt.
const DefaultLimit = 10 << 20

// chunkBytes is how much text one chunk gathers before it is closed. Larger
// chunks compress better; smaller ones make a finer cut in the middle.
const chunkBytes = 128 << 10

// tailLines is how many of the last lines a recorder remembers for notices.
const tailLines = 50

// A Recorder turns the lines of one attempt into chunks, while they come, and
// keeps the head and the tail of an output that is larger than its limit.
//
// Add and Take may be called from different goroutines. Memory stays below
// half of the limit, compressed, however much is written and however rarely
// Take is called.
type Recorder struct {
	attempt int
	half    int64

	mu      sync.Mutex
	open    []Line
	openLen int
	lines   int64 // seen so far
	written int64 // of them, those that are not the agent's
	bytes   int64
	seq     int
	ready   []Chunk // closed, not yet taken
	head    int64   // bytes of chunks that belong to the head
	headEnd int     // the first chunk that does not
	tail    []place // chunks of the tail, taken or not, oldest first
	tailLen int64
	drop    []Chunk // taken before, and cut out since
	last    []string
	waiting bool
}

// A place is where a chunk of the tail stands and how much it holds.
type place struct {
	seq   int
	bytes int
	taken bool
}

// A RecorderConfig configures a [Recorder].
type RecorderConfig struct {
	Attempt int
	// Limit is how many bytes of text are kept; 0 means [DefaultLimit].
	Limit int64
}

// NewRecorder returns a recorder for one attempt.
func NewRecorder(c RecorderConfig) *Recorder {
	if c.Limit <= 0 {
		c.Limit = DefaultLimit
	}
	return &Recorder{attempt: c.Attempt, half: max(1, c.Limit/2)}
}

// Add appends a line.
func (r *Recorder) Add(l Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines++
	l.Number = r.lines
	r.open = append(r.open, l)
	r.openLen += len(l.Text) + 1
	r.bytes += int64(len(l.Text)) + 1
	if l.Stream != Agent {
		r.written++
		if len(r.last) == 2*tailLines {
			r.last = append(r.last[:0], r.last[tailLines:]...)
		}
		r.last = append(r.last, l.Text)
	}
	if r.openLen >= chunkBytes {
		r.close()
	}
	r.waiting = true
}

// Take returns the chunks that closed since the last call, the open one among
// them, and the chunks returned earlier that are to be dropped since they were
// cut out of the middle.
func (r *Recorder) Take() (chunks, drop []Chunk) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.close()
	chunks, drop = r.ready, r.drop
	r.ready, r.drop, r.waiting = nil, nil, false
	for i := range r.tail {
		r.tail[i].taken = true
	}
	return chunks, drop
}

// Untake gives back what Take returned and nobody could store; it comes again
// with the next Take.
func (r *Recorder) Untake(chunks, drop []Chunk) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, p := range r.tail {
		if slices.ContainsFunc(chunks, func(c Chunk) bool { return c.Seq == p.seq }) {
			r.tail[i].taken = false
		}
	}
	// What is neither in the tail nor in the head was cut out meanwhile.
	r.drop = slices.DeleteFunc(r.drop, func(c Chunk) bool {
		return slices.ContainsFunc(chunks, func(given Chunk) bool { return given.Seq == c.Seq })
	})
	cut := func(c Chunk) bool {
		return len(r.tail) > 0 && c.Seq < r.tail[0].seq && c.Seq >= r.headEnd
	}
	r.ready = append(slices.DeleteFunc(slices.Clone(chunks), cut), r.ready...)
	r.drop = append(slices.Clone(drop), r.drop...)
	r.waiting = true
}

// Waiting reports whether there is something to take.
func (r *Recorder) Waiting() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting
}

// Tail returns the last lines that the script wrote, at most n (and at most
// 50), and how many came before them.
func (r *Recorder) Tail(n int) (lines []string, before int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.last[max(0, len(r.last)-min(n, tailLines)):]
	return append(lines, last...), max(0, r.written-int64(len(last)))
}

// close makes a chunk of the open lines. The caller holds the lock.
func (r *Recorder) close() {
	if len(r.open) == 0 {
		return
	}
	c := Chunk{
		Attempt:   r.attempt,
		Seq:       r.seq,
		FirstLine: r.open[0].Number,
		FirstByte: r.bytes - int64(r.openLen),
		Lines:     len(r.open),
		Bytes:     r.openLen,
		Data:      encode(r.open),
	}
	r.seq++
	clear(r.open)
	r.open, r.openLen = r.open[:0], 0
	r.ready = append(r.ready, c)
	if len(r.tail) == 0 && r.head+int64(c.Bytes) <= r.half {
		r.head += int64(c.Bytes)
		r.headEnd = c.Seq + 1
		return
	}
	r.tail = append(r.tail, place{seq: c.Seq, bytes: c.Bytes})
	r.tailLen += int64(c.Bytes)
	for r.tailLen > r.half && len(r.tail) > 1 {
		r.cut(r.tail[0])
		r.tailLen -= int64(r.tail[0].bytes)
		r.tail = r.tail[1:]
	}
}

// cut drops a chunk of the tail that newer ones push out.
func (r *Recorder) cut(p place) {
	if p.taken {
		r.drop = append(r.drop, Chunk{Attempt: r.attempt, Seq: p.seq})
		return
	}
	for i, c := range r.ready {
		if c.Seq == p.seq {
			r.ready = append(r.ready[:i], r.ready[i+1:]...)
			return
		}
	}
}
