package runners

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// A pump reads all of a script's output, in the order in which the kernel saw
// each pipe become ready: epoll keeps its ready list so. A goroutine for each
// pipe would let the scheduler decide whether an error stands before or after
// the line that it follows.
type pump struct {
	sources []*source // the last is the logger's
	poll    *os.File
	read    chan struct{} // closed when all but the logger's have ended
	done    chan struct{}
}

// newPump owns the sources' descriptors from here on, unless it fails.
func newPump(sources []*source) (*pump, error) {
	p := &pump{sources: sources, read: make(chan struct{}), done: make(chan struct{})}
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err == nil {
		err = syscall.SetNonblock(fd, true) // so that Go's own poller takes it
	}
	for i, s := range sources {
		if err == nil {
			err = syscall.EpollCtl(fd, syscall.EPOLL_CTL_ADD, s.fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)})
		}
	}
	if fd >= 0 {
		p.poll = os.NewFile(uintptr(fd), "epoll")
	}
	if err != nil {
		if p.poll != nil {
			_ = p.poll.Close()
		}
		return nil, fmt.Errorf("watch pipes: %w", err)
	}
	return p, nil
}

func (p *pump) start() {
	go p.run()
}

func (p *pump) run() {
	defer close(p.done)
	var buf []byte // made when there is something to read: many scripts print nothing
	open := len(p.sources) - 1
	var events [4]syscall.EpollEvent
	ready := func(fd uintptr) (ok bool) {
		n, err := syscall.EpollWait(int(fd), events[:], 0)
		if n > 0 && buf == nil {
			buf = make([]byte, 32<<10)
		}
		for _, e := range events[:max(n, 0)] {
			s := p.sources[e.Fd]
			if s.read(buf); s.ended {
				_ = syscall.EpollCtl(int(fd), syscall.EPOLL_CTL_DEL, s.fd, nil)
				if open--; open == 0 {
					close(p.read)
				}
			}
		}
		return n > 0 || err == syscall.EINTR
	}
	raw, err := p.poll.SyscallConn()
	for err == nil {
		err = raw.Read(ready) // ends by finish's deadline
	}
	if buf == nil {
		buf = make([]byte, 4<<10)
	}
	for _, s := range p.sources {
		s.drain(buf)
	}
}

// finish reads what is there and ends, although pipes may still be open.
func (p *pump) finish() {
	_ = p.poll.SetReadDeadline(time.Now())
	<-p.done
}

// close gives the descriptors back. It must not be called between start and finish.
func (p *pump) close() {
	for _, s := range p.sources {
		_ = syscall.Close(s.fd)
	}
	_ = p.poll.Close()
}
