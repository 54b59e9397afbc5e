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

// A source is one pipe that a script's output comes from. Its descriptor does
// not block.
type source struct {
	fd    int
	split splitter
	ended bool
}

func newSource(fd int, stream string, out func(Output)) *source {
	return &source{fd: fd, split: splitter{emit: func(line []byte) {
		out(Output{Stream: stream, Line: line, Time: time.Now()})
	}}}
}

// newLogger reads the records that a script's loggers write: a level, a space,
// the text; or progress, a space, what is done, the total, a text.
func newLogger(fd int, out func(Output)) *source {
	return &source{fd: fd, split: splitter{emit: func(line []byte) {
		level, text, _ := bytes.Cut(line, []byte(" "))
		switch string(level) {
		case "progress":
			out(Output{Stream: Progress, Line: text, Time: time.Now()})
			return
		case "debug", "info", "warning", "error":
		default: // somebody wrote to the pipe by hand
			level, text = []byte("info"), line
		}
		out(Output{Stream: "logger", Level: string(level), Line: text, Time: time.Now()})
	}}}
}

// read takes what is there, once. It reports whether there was anything.
func (s *source) read(buf []byte) bool {
	for {
		n, err := syscall.Read(s.fd, buf)
		switch {
		case err == syscall.EINTR:
			continue
		case n > 0:
			s.split.write(buf[:n])
			return true
		case err != syscall.EAGAIN:
			s.end()
		}
		return false
	}
}

// drain takes what is left. What still writes to the pipe then is not waited for.
func (s *source) drain(buf []byte) {
	for limit := 1 << 20; limit > 0 && !s.ended && s.read(buf); limit -= len(buf) {
	}
	s.end()
}

func (s *source) end() {
	if !s.ended {
		s.ended = true
		s.split.end()
	}
}

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

// openPipe opens a pipe whose end for reading does not block.
func openPipe() (r int, w *os.File, err error) {
	var fds [2]int
	if err := pipe(fds[:]); err != nil {
		return -1, nil, fmt.Errorf("open pipe: %w", err)
	}
	w = os.NewFile(uintptr(fds[1]), "pipe")
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		syscall.Close(fds[0])
		w.Close()
		return -1, nil, fmt.Errorf("open pipe: %w", err)
	}
	return fds[0], w, nil
}

// openLogger makes the named pipe that a script's loggers write to. A name, not
// an inherited descriptor, works from every child process and in every
// language, and takes no number away.
func openLogger(path string) (int, error) {
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return -1, fmt.Errorf("make pipe for the script's logger: %w", err)
	}
	// For reading and writing: so it never ends while no script has it open.
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		_ = os.Remove(path)
		return -1, fmt.Errorf("open pipe for the script's logger: %w", err)
	}
	return fd, nil
}
