//go:build !linux

package runners

import (
	"os"
	"sync"
	"time"
)

// A pump reads all of a script's output. Lines of different pipes that are
// written within microseconds may change places here.
type pump struct {
	sources []*source // the last is the logger's
	files   []*os.File
	read    chan struct{} // closed when all but the logger's have ended
	done    chan struct{}
}

// newPump owns the sources' descriptors from here on.
func newPump(sources []*source) (*pump, error) {
	p := &pump{sources: sources, read: make(chan struct{}), done: make(chan struct{})}
	for _, s := range sources {
		p.files = append(p.files, os.NewFile(uintptr(s.fd), "pipe"))
	}
	return p, nil
}

func (p *pump) start() {
	var output, all sync.WaitGroup
	for i, s := range p.sources {
		group := &output
		if i == len(p.sources)-1 {
			group = &all
		}
		group.Go(func() { p.run(s, p.files[i]) })
	}
	go func() { output.Wait(); close(p.read); all.Wait(); close(p.done) }()
}

func (p *pump) run(s *source, f *os.File) {
	buf := make([]byte, 32<<10)
	raw, err := f.SyscallConn()
	for err == nil && !s.ended {
		err = raw.Read(func(uintptr) bool { return s.read(buf) || s.ended })
	}
	s.drain(buf)
}

// finish reads what is there and ends, although pipes may still be open.
func (p *pump) finish() {
	for _, f := range p.files {
		_ = f.SetReadDeadline(time.Now())
	}
	<-p.done
}

// close gives the descriptors back. It must not be called between start and finish.
func (p *pump) close() {
	for _, f := range p.files {
		_ = f.Close()
	}
}
