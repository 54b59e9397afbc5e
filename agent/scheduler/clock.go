package scheduler

import "time"

// jumpAtLeast is the smallest difference that is called a jump; NTP slews below it.
const jumpAtLeast = 2 * time.Second

// A clock notices when the wall clock moves otherwise than the monotonic one:
// after a suspend, or when somebody sets it.
type clock struct {
	now  func() time.Time
	wall time.Time // without its monotonic reading
	mono time.Time
}

func newClock(now func() time.Time) *clock {
	return &clock{now: now, wall: now().Round(0), mono: time.Now()}
}

// jump returns by how much the wall clock jumped since the last call, or 0.
func (c *clock) jump() time.Duration {
	wall, mono := c.now().Round(0), time.Now()
	by := wall.Sub(c.wall) - mono.Sub(c.mono)
	c.wall, c.mono = wall, mono
	if by.Abs() < jumpAtLeast {
		return 0
	}
	return by
}
