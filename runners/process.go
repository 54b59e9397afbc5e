package runners

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// EnvLog names the pipe that the loggers of a script write to.
const EnvLog = "AGENT_RUN_LOG"

// Progress is the stream of what a script says of its progress.
const Progress = "progress"

const (
	// linger is how long a script's output may stay open after its end by what
	// it started: enough for a `tee` behind it to write its last line.
	linger = time.Second
	// leftoverGrace is between TERM and KILL for what a script leaves behind.
	leftoverGrace = 2 * time.Second
)

// An Output is one line that a script wrote, without its line end.
type Output struct {
	Stream string // stdout, stderr, logger or [Progress]
	Level  string // debug, info, warning or error for the logger; empty otherwise
	Line   []byte // valid until the function that gets it returns
	Time   time.Time
}

// A Spec describes a process.
type Spec struct {
	Command Command
	Env     []string
	Dir     string // in which it starts
	// Pipe is the path of the logger's pipe, which New makes and Close removes.
	Pipe string
	// Output gets each line, from several goroutines where the system has no epoll.
	Output func(Output)
}

// An Exit is how a process ended.
type Exit struct {
	Code   *int   // nil when a signal ended it
	Signal string // such as "killed"; empty otherwise
	// Leftover says that processes which it had started were ended after it.
	Leftover bool
}

// A Process is a script's process and all that it starts in its group.
type Process struct {
	cmd     *exec.Cmd
	pump    *pump
	pipe    string // the logger's
	writers []*os.File

	done     chan struct{} // the leader has ended
	finished chan struct{} // its output is read and its group is gone
	exit     Exit

	mu      sync.Mutex
	started bool
	stopped bool
	killAt  time.Time // when what is left is killed; zero: leftoverGrace after its TERM
}

// New opens all that a process needs, so that Start has nothing to do but to
// start it. Close must follow.
func New(s Spec) (_ *Process, err error) {
	p := &Process{done: make(chan struct{}), finished: make(chan struct{})}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	p.cmd = &exec.Cmd{
		Path:        s.Command.Path,
		Args:        append([]string{s.Command.Path}, s.Command.Args...),
		Dir:         s.Dir,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	var sources []*source
	defer func() {
		if p.pump == nil {
			for _, s := range sources {
				_ = syscall.Close(s.fd)
			}
		}
	}()
	for _, stream := range []string{"stdout", "stderr"} {
		r, w, err := openPipe()
		if err != nil {
			return nil, err
		}
		p.writers = append(p.writers, w)
		sources = append(sources, newSource(r, stream, s.Output))
	}
	p.cmd.Stdout, p.cmd.Stderr = p.writers[0], p.writers[1]
	fd, err := openLogger(s.Pipe)
	if err != nil {
		return nil, err
	}
	p.pipe = s.Pipe
	sources = append(sources, newLogger(fd, s.Output))
	if p.pump, err = newPump(sources); err != nil {
		return nil, err
	}
	p.cmd.Env = environment(s.Env, s.Command, EnvLog+"="+s.Pipe)
	return p, nil
}

// environment puts a command's own variables into a script's.
func environment(env []string, c Command, more ...string) []string {
	for _, p := range c.Prepend {
		value := p.Value
		for _, old := range env {
			if rest, ok := strings.CutPrefix(old, p.Name+"="); ok && rest != "" {
				value = p.Value + p.Separator + rest
			}
		}
		more = append(more, p.Name+"="+value)
	}
	// exec.Cmd takes the last of several values.
	all := append(append([]string(nil), env...), c.Env...)
	return append(all, more...)
}

// Start starts the process.
func (p *Process) Start() error {
	if err := p.cmd.Start(); err != nil {
		if errors.Is(err, syscall.E2BIG) {
			return fmt.Errorf("%w\nthe environment and arguments are larger than the system allows", err)
		}
		return err
	}
	p.mu.Lock()
	p.started = true
	p.mu.Unlock()
	for _, w := range p.writers {
		w.Close()
	}
	p.writers = nil
	p.pump.start()
	go p.watch()
	return nil
}

// PID is the process's, and its group's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// StartTime tells the process from a later one with the same PID; see the
// function [StartTime]. It is 0 when the process has ended already.
func (p *Process) StartTime() uint64 {
	start, _ := StartTime(p.PID())
	return start
}

// Done is closed when the process itself has ended; what it started may go on.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits until the process has ended, its group is gone and its output has been read.
func (p *Process) Wait() Exit {
	<-p.finished
	return p.exit
}

// Stop asks the whole group to end, and kills what is left of it after the
// grace. It does not wait.
func (p *Process) Stop(grace time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	p.stopped, p.killAt = true, time.Now().Add(grace)
	p.signal(syscall.SIGTERM)
	go func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.finished:
		case <-timer.C:
			p.signal(syscall.SIGKILL)
		}
	}()
}

// signal reaches the whole group. Its number cannot belong to another while
// the leader has not been reaped or the group has members, see [Process.watch].
func (p *Process) signal(s syscall.Signal) {
	select {
	case <-p.finished:
	default:
		_ = syscall.Kill(-p.PID(), s) // ESRCH: it is gone
	}
}

// watch sees the process to its end.
func (p *Process) watch() {
	waitEnded(p.cmd)
	close(p.done)
	leftover := false
	if !within(p.pump.read, linger) {
		// Something holds the pipes. The leader has not been reaped, so the
		// group's number is still its own.
		leftover = true
		p.endGroup(func() bool { return groupLeft(p.PID()) })
		// What holds them and is not of the group any more must not be waited for.
		within(p.pump.read, linger/4)
	}
	reap(p.cmd)
	// A group that still exists keeps its number. It is looked at closely only
	// then, and after a moment: what wrote the last line may be about to end.
	if exists := func() bool { return groupLeft(p.PID()) }; syscall.Kill(-p.PID(), 0) == nil && !gone(exists, linger) {
		leftover = true
		p.endGroup(exists)
	}
	p.pump.finish()
	p.exit = Exit{Leftover: leftover}
	if state := p.cmd.ProcessState; state == nil {
		p.exit.Signal = "unknown"
	} else if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		p.exit.Signal = status.Signal().String()
	} else {
		code := state.ExitCode()
		p.exit.Code = &code
	}
	close(p.finished)
}

// endGroup ends what the process has left behind.
func (p *Process) endGroup(left func() bool) {
	p.signal(syscall.SIGTERM)
	deadline := time.Now().Add(leftoverGrace)
	p.mu.Lock()
	if p.stopped {
		deadline = p.killAt
	}
	p.mu.Unlock()
	if !gone(left, time.Until(deadline)) {
		p.signal(syscall.SIGKILL)
	}
}

// gone waits until nothing is left, or for as long as patience lasts. The
// kernel tells nobody of the end of a process that is not its child.
func gone(left func() bool, patience time.Duration) bool {
	for deadline := time.Now().Add(patience); left(); time.Sleep(5 * time.Millisecond) {
		if !time.Now().Before(deadline) {
			return false
		}
	}
	return true
}

func within(c <-chan struct{}, d time.Duration) bool {
	select {
	case <-c:
		return true
	default:
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c:
		return true
	case <-timer.C:
		return false
	}
}

// Close gives back what New opened. It must not be called while the process runs.
func (p *Process) Close() {
	for _, w := range p.writers {
		w.Close()
	}
	if p.pump != nil {
		p.pump.close()
	}
	if p.pipe != "" {
		_ = syscall.Unlink(p.pipe) // a leftover is swept at the next start
	}
}
