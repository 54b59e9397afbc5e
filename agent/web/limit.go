package web

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// Wrong passwords from one address: burst at once, then one each interval.
const (
	burst    = 20
	interval = 3 * time.Second
	// maxLimited bounds the memory that an attacker with many addresses can take.
	maxLimited = 10_000
)

// A limiter slows down whoever guesses passwords. The zero value is ready.
type limiter struct {
	mu   sync.Mutex
	debt map[netip.Prefix]time.Time // when the last wrong try is forgiven
}

// wait is how long the address has to wait before its next try counts.
func (l *limiter) wait(remote string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	until, ok := l.debt[network(remote)]
	if !ok {
		return 0 // and not the zero time less now, which overflows
	}
	return max(0, until.Sub(now)-(burst-1)*interval)
}

// wrong counts a wrong try.
func (l *limiter) wrong(remote string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.debt == nil || len(l.debt) >= maxLimited {
		fresh := map[netip.Prefix]time.Time{}
		for n, until := range l.debt {
			// Whoever is being slowed down stays so; the others begin anew.
			if until.Sub(now) > burst/2*interval && len(fresh) < maxLimited/2 {
				fresh[n] = until
			}
		}
		l.debt = fresh
	}
	n := network(remote)
	from := l.debt[n]
	if from.Before(now) {
		from = now
	}
	l.debt[n] = from.Add(interval)
}

// network is what counts as one address: an IPv6 user has a whole /64.
func network(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	ip = ip.Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // the length is one of the address's own family
	return p
}
