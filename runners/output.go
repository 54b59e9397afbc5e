package runners

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"time"
)

// maxLine is where a line is broken into two, in bytes.
const maxLine = 64 << 10

// A reader turns what comes out of one pipe into lines.
type reader struct {
	file   *os.File
	stream string
	out    func(Output)
	done   chan struct{}
}

func newReader(f *os.File, stream string, out func(Output)) *reader {
	return &reader{file: f, stream: stream, out: out, done: make(chan struct{})}
}

func (r *reader) run() {
	defer close(r.done)
	s := splitter{emit: func(line []byte) {
		r.out(Output{Stream: r.stream, Line: line, Time: time.Now()})
	}}
	buf := make([]byte, 32<<10)
	for {
		n, err := r.file.Read(buf)
		s.write(buf[:n])
		if err != nil {
			s.end()
			return
		}
	}
}

// stop ends reading although the pipe is still open.
func (r *reader) stop() { _ = r.file.SetReadDeadline(time.Now()) }

// A splitter cuts a stream into lines.
type splitter struct {
	rest []byte
	emit func([]byte)
}

func (s *splitter) write(b []byte) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			s.rest = append(s.rest, b...)
			for len(s.rest) >= maxLine {
				s.emit(s.rest[:maxLine])
				s.rest = append(s.rest[:0], s.rest[maxLine:]...)
			}
			return
		}
		line := b[:i]
		if len(s.rest) > 0 {
			s.rest = append(s.rest, line...)
			line = s.rest
		}
		for len(line) > maxLine {
			s.emit(line[:maxLine])
			line = line[maxLine:]
		}
		s.emit(bytes.TrimSuffix(line, []byte("\r")))
		s.rest = s.rest[:0]
		b = b[i+1:]
	}
}

func (s *splitter) end() {
	if len(s.rest) > 0 {
		s.emit(s.rest)
	}
}

// A loggerPipe is the named pipe that a script's loggers write records to: a
// level, a space, the text. A name, not an inherited descriptor, works from
// every child process and in every language, and takes no number away.
type loggerPipe struct {
	path string
	file *os.File
	out  func(Output)
	done chan struct{}
}

func newLoggerPipe(path string, out func(Output)) (*loggerPipe, error) {
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("make pipe for the script's logger: %w", err)
	}
	// For reading and writing: so it never ends while no script has it open.
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		_ = os.Remove(path)
		return nil, fmt.Errorf("open pipe for the script's logger: %w", err)
	}
	return &loggerPipe{path: path, file: f, out: out, done: make(chan struct{})}, nil
}

func (l *loggerPipe) run() {
	defer close(l.done)
	s := splitter{emit: l.record}
	buf := make([]byte, 16<<10)
	for {
		n, err := l.file.Read(buf)
		s.write(buf[:n])
		if err != nil {
			break
		}
	}
	// What was written before the script's end is still in the pipe; a
	// deadline that has passed would keep Read from it.
	raw, err := l.file.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for {
			n, err := syscall.Read(int(fd), buf)
			if err == syscall.EINTR {
				continue
			}
			if n <= 0 {
				break
			}
			s.write(buf[:n])
		}
	})
	s.end()
}

// record is one line of the pipe.
func (l *loggerPipe) record(line []byte) {
	level, text, _ := bytes.Cut(line, []byte(" "))
	switch string(level) {
	case "debug", "info", "warning", "error":
	default: // somebody wrote to the pipe by hand
		level, text = []byte("info"), line
	}
	l.out(Output{Stream: "logger", Level: string(level), Line: text, Time: time.Now()})
}

func (l *loggerPipe) close() {
	_ = syscall.Unlink(l.path) // a leftover is swept at the next start
	_ = l.file.Close()
}

// finish reads what is there and ends.
func (l *loggerPipe) finish() {
	_ = l.file.SetReadDeadline(time.Now())
	<-l.done
}
