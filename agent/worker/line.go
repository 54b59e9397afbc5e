package worker

import (
	"fmt"
	"slices"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/config"
)

// A line is who may start: a number of places for all, and an order for each
// task. Its methods need the worker's lock.
type line struct {
	max, free int
	eligible  []*job // wait for a place only
	tasks     map[string]*lane
}

// A lane is what one task has going and waiting.
type lane struct {
	going   []*job // eligible or started
	blocked []*job // wait for what is going
}

func newLine(places int) line {
	return line{max: places, free: places, tasks: map[string]*lane{}}
}

// A verdict is what happens to a run that is due.
type verdict struct {
	kind     verdictKind
	reason   string
	replaced []*job // to be cancelled: the run waits until they have ended
}

type verdictKind int

const (
	start verdictKind = iota // it has a place
	wait                     // job.turn is closed when it has one
	skip                     // overlap forbids it
)

// enter decides on a job that is due.
func (l *line) enter(j *job, overlap config.Overlap) verdict {
	t := l.tasks[j.task.ID]
	if t == nil {
		t = &lane{}
		l.tasks[j.task.ID] = t
	}
	if len(t.going) > 0 && overlap != config.OverlapAllow {
		var replaced []*job
		switch {
		case j.caughtUp():
			// Slots of a catch-up are all due at once: they follow one another
			// whatever overlap says about a run that takes too long.
		case overlap == config.OverlapReplace:
			replaced = slices.Concat(t.going, t.blocked)
		case overlap == config.OverlapSkip:
			return verdict{kind: skip, reason: fmt.Sprintf("%s was still going", t.going[0].name())}
		case len(t.blocked) >= config.MaxQueued:
			return verdict{kind: skip, reason: fmt.Sprintf("%d runs were waiting already", config.MaxQueued)}
		}
		t.blocked = append(t.blocked, j)
		return verdict{kind: wait, replaced: replaced}
	}
	t.going = append(t.going, j)
	if l.free > 0 && len(l.eligible) == 0 {
		l.free--
		j.placed = true
		return verdict{kind: start}
	}
	l.eligible = append(l.eligible, j)
	return verdict{kind: wait}
}

// leave takes a job out, wherever it stands, and lets others move up.
func (l *line) leave(j *job) {
	l.rest(j)
	l.eligible = without(l.eligible, j)
	t := l.tasks[j.task.ID]
	if t == nil {
		return
	}
	t.blocked = without(t.blocked, j)
	t.going = without(t.going, j)
	for len(t.going) == 0 && len(t.blocked) > 0 {
		next := t.blocked[0]
		t.blocked = t.blocked[1:]
		t.going = append(t.going, next)
		l.eligible = append(l.eligible, next)
	}
	if len(t.going) == 0 {
		delete(l.tasks, j.task.ID)
	}
	l.advance()
}

// rest gives a job's place to others while it waits for its next attempt; it
// goes on counting as going.
func (l *line) rest(j *job) {
	if j.placed {
		j.placed = false
		l.free++
		l.advance()
	}
}

// resume puts a job that rested in line for a place.
func (l *line) resume(j *job) {
	j.turn = make(chan struct{})
	l.eligible = append(l.eligible, j)
	l.advance()
}

// advance gives free places to those who wait for one.
func (l *line) advance() {
	for l.free > 0 && len(l.eligible) > 0 {
		j := l.eligible[0]
		l.eligible[0] = nil
		l.eligible = l.eligible[1:]
		l.free--
		j.placed = true
		close(j.turn)
	}
}

func (l *line) waiting() int {
	n := len(l.eligible)
	for _, t := range l.tasks {
		n += len(t.blocked)
	}
	return n
}

func without(jobs []*job, j *job) []*job {
	if i := slices.Index(jobs, j); i >= 0 {
		return slices.Delete(jobs, i, i+1)
	}
	return jobs
}

// admit asks for a place for a job that is due. After start or wait, leave
// must follow.
func (w *Worker) admit(j *job) verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	j.turn = make(chan struct{})
	v := w.line.enter(j, j.task.Overlap)
	for _, old := range v.replaced {
		old.cancel(errReplaced)
	}
	j.going = v.kind == start
	return v
}

func (w *Worker) leave(j *job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line.leave(j)
}

// name is what people call the job's run, or its task where it has no number yet.
func (j *job) name() string {
	if j.run.State == run.State("") {
		return "a run of " + j.task.ID
	}
	return fmt.Sprintf("%s#%d", j.task.ID, j.run.Number)
}
