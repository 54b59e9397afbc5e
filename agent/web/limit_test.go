package web

import (
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	var l limiter
	now := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	const here, there = "192.0.2.1:1000", "192.0.2.2:1000"
	if wait := l.wait(here, now); wait != 0 {
		t.Errorf("somebody new waits %s", wait)
	}
	for range burst {
		if wait := l.wait(here, now); wait != 0 {
			t.Fatalf("waits %s within the burst", wait)
		}
		l.wrong(here, now)
	}
	if wait := l.wait("192.0.2.1:2000", now); wait != interval {
		t.Errorf("waits %s after the burst, want %s", wait, interval)
	}
	if wait := l.wait(there, now); wait != 0 {
		t.Errorf("another address waits %s", wait)
	}
	if wait := l.wait(here, now.Add(interval)); wait != 0 {
		t.Errorf("waits %s after it waited", wait)
	}
	if wait := l.wait(here, now.Add(24*time.Hour)); wait != 0 {
		t.Errorf("waits %s a day later", wait)
	}
	// Addresses of one network of IPv6 are one.
	for range burst {
		l.wrong("[2001:db8::1]:1", now)
	}
	if wait := l.wait("[2001:db8::ffff]:1", now); wait == 0 {
		t.Error("another address of the same network may try at once")
	}
}
