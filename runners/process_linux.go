package runners

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// waitEnded returns when the process has ended, and leaves it to be reaped: as
// long as it is not, no other process or group gets its number.
func waitEnded(cmd *exec.Cmd) {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// pipe opens one that no child inherits. It waits for no fork that is under way.
func pipe(fds []int) error { return syscall.Pipe2(fds, syscall.O_CLOEXEC) }

func reap(cmd *exec.Cmd) { _ = cmd.Wait() } // its error is the exit code

// groupLeft reports whether the group has a process beside its ended leader.
func groupLeft(pgid int) bool {
	left := false
	eachProcess(func(s stat) bool {
		left = s.group == pgid && s.pid != pgid && s.state != 'Z' && s.state != 'X'
		return !left
	})
	return left
}

// StartTime is when a process started, in clock ticks since the machine's
// start: with the PID it names a process for good. It fails when there is none.
func StartTime(pid int) (uint64, error) {
	s, err := readStat(pid)
	return s.start, err
}

// A stat is what /proc/PID/stat says, as far as it matters here.
type stat struct {
	pid   int
	state byte
	group int
	start uint64
}

func readStat(pid int) (stat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, err
	}
	// The second field is the name in parentheses, and may hold anything.
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return stat{}, fmt.Errorf("read status of process %d: unknown format", pid)
	}
	fields := strings.Fields(string(b[i+1:]))
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("read status of process %d: unknown format", pid)
	}
	s := stat{pid: pid, state: fields[0][0]}
	s.group, _ = strconv.Atoi(fields[2])
	s.start, err = strconv.ParseUint(fields[19], 10, 64)
	return s, err
}

// eachProcess calls yield for every process until it returns false.
func eachProcess(yield func(stat) bool) {
	d, err := os.Open("/proc")
	if err != nil {
		return
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil && !yield(s) {
			return
		}
	}
}

const envRunID = "AGENT_RUN_ID="

// runOf is the run that a process belongs to by its environment, or empty.
func runOf(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return ""
	}
	for kv := range bytes.SplitSeq(b, []byte{0}) {
		if id, ok := bytes.CutPrefix(kv, []byte(envRunID)); ok {
			return string(id)
		}
	}
	return ""
}

// FindOrphans looks for processes that carry the id of one of the runs in
// their environment, whoever started them.
func FindOrphans(runs map[string]bool) map[string][]int {
	found := map[string][]int{}
	if len(runs) == 0 {
		return found
	}
	self := os.Getpid()
	eachProcess(func(s stat) bool {
		if s.pid != self && s.state != 'Z' {
			if id := runOf(s.pid); runs[id] {
				found[id] = append(found[id], s.pid)
			}
		}
		return true
	})
	return found
}

// EndOrphan ends a process of a run that outlived its agent, with its group:
// TERM, and KILL after the grace. It touches only processes that carry the
// run's id, or the very one that started at the recorded time. It reports
// whether there was anything to end.
func EndOrphan(pid int, start uint64, runID string, grace time.Duration) (bool, error) {
	own := syscall.Getpgrp()
	members := func() []int {
		var pids []int
		eachProcess(func(s stat) bool {
			switch {
			case s.state == 'Z' || s.pid == os.Getpid():
			case s.pid == pid && s.start == start && start != 0:
				pids = append(pids, s.pid)
			case (s.group == pid && s.group != own || s.pid == pid) && runOf(s.pid) == runID:
				pids = append(pids, s.pid)
			}
			return true
		})
		return pids
	}
	left := members()
	if len(left) == 0 {
		return false, nil
	}
	for _, p := range left {
		_ = syscall.Kill(p, syscall.SIGTERM)
	}
	for deadline := time.Now().Add(grace); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if left = members(); len(left) == 0 {
			return true, nil
		}
	}
	for range 200 {
		for _, p := range left {
			_ = syscall.Kill(p, syscall.SIGKILL)
		}
		time.Sleep(10 * time.Millisecond)
		if left = members(); len(left) == 0 {
			return true, nil
		}
	}
	return true, fmt.Errorf("end process %d: it does not end, even when killed", left[0])
}
