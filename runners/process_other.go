//go:build !linux

package runners

import (
	"errors"
	"os/exec"
	"syscall"
	"time"
)

// Without /proc, what outlived a killed agent is not found again; and whether
// a group has more than its leader is seen only once that has been reaped.

// pipe opens one that no child inherits.
func pipe(fds []int) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := syscall.Pipe(fds); err != nil {
		return err
	}
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	return nil
}

func waitEnded(cmd *exec.Cmd) { _ = cmd.Wait() }

func reap(*exec.Cmd) {}

func groupLeft(int) bool { return false }

// StartTime is not known here.
func StartTime(int) (uint64, error) { return 0, errors.ErrUnsupported }

// FindOrphans finds nothing here.
func FindOrphans(map[string]bool) map[string][]int { return nil }

// EndOrphan ends nothing here: without its start time a process may be another.
func EndOrphan(int, uint64, string, time.Duration) (bool, error) { return false, nil }
