package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// An Entry is one schedule of a task, with its jitter.
type Entry struct {
	*Schedule
	Jitter time.Duration
}

// A Set is all schedules of a task. Slots of several at the same instant are one.
type Set []Entry

// Next is the first slot of any entry strictly after the given instant, and the
// bound below which its jitter lies: the smallest of those that share the slot.
// The zero time if there is none.
func (s Set) Next(after time.Time) (slot time.Time, jitterMax time.Duration) {
	t, e := s.next(after.Unix())
	if e == nil {
		return time.Time{}, 0
	}
	return time.Unix(t, 0).In(e.loc), e.Jitter
}

func (s Set) next(after int64) (first int64, entry *Entry) {
	for i := range s {
		t, ok := s[i].next(after)
		switch {
		case !ok || entry != nil && t > first:
		case entry == nil || t < first || s[i].Jitter < entry.Jitter:
			first, entry = t, &s[i]
		}
	}
	return first, entry
}

// Slots of several entries are merged one by one to count them up to this many.
const maxMerged = 100_000

// Between is what was missed: the newest limit slots after one instant, up to
// and including another, oldest first, and how many slots there are in all.
//
// Its cost grows with limit and the length of the gap in years, not with the
// number of slots. For that, several entries that have more than 100,000 slots
// together are counted apart: an instant that they share then counts for each.
func (s Set) Between(after, until time.Time, limit int) (slots []time.Time, count int) {
	from, to := max(after.Unix(), earliest), min(until.Unix(), latest)
	limit = max(limit, 0)
	count = s.count(from, to)
	merge := len(s) > 1 && count <= maxMerged
	if !merge && from < to {
		// Each instant counts for at most every entry, so these many hold limit
		// distinct ones.
		enough := limit * len(s)
		from += int64(max(0, sort.Search(int(to-from), func(i int) bool { return s.count(from+int64(i), to) < enough })-1))
	}
	merged := 0
	for t, e := s.next(from); e != nil && t <= to; t, e = s.next(t) {
		merged++
		if limit == 0 {
			continue
		}
		if len(slots) == 2*limit {
			slots = append(slots[:0], slots[limit:]...)
		}
		slots = append(slots, time.Unix(t, 0).In(e.loc))
	}
	if merge {
		count = merged
	}
	return slots[max(0, len(slots)-limit):], count
}

func (s Set) count(after, until int64) int {
	n := 0
	for _, e := range s {
		n += e.count(after, until)
	}
	return n
}

// Offset is how long after its slot a task starts, to spread the tasks of one
// slot: in [0, max), whole milliseconds, the same on every agent and at every
// call, since it is a hash of task and slot.
func Offset(taskID string, slot time.Time, max time.Duration) time.Duration {
	steps := uint64(max / time.Millisecond)
	if max < time.Millisecond {
		return 0
	}
	key := binary.BigEndian.AppendUint64([]byte(taskID), uint64(slot.Unix()))
	sum := sha256.Sum256(key)
	return time.Duration(binary.BigEndian.Uint64(sum[:])%steps) * time.Millisecond
}

// Fingerprint identifies what a task's schedules say, whatever their order and
// white space: 16 hexadecimal digits, the same from version to version. It is
// empty when there are none.
func Fingerprint(specs []Spec) string {
	if len(specs) == 0 {
		return ""
	}
	lines := make([]string, len(specs))
	for i, spec := range specs {
		zone := spec.Timezone
		if zone == "" {
			zone = "UTC"
		}
		lines[i] = strings.Join(strings.Fields(spec.Cron), " ") + "\t" + zone + "\t" + strconv.FormatInt(int64(spec.Jitter), 10)
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(lines), "\n")))
	return hex.EncodeToString(sum[:8])
}
