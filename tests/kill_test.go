package tests

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/client"
	"github.com/apimeld/agent/agent/run"
)

// TestKill kills the agent without warning at random instants, while tasks
// run every second and the receiver fails now and then. Every slot must have
// exactly one run, no script may run twice for a slot, and every run's notice
// must arrive: twice only where the answer itself was lost.
func TestKill(t *testing.T) {
	kills := 50
	if testing.Short() {
		kills = 6
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random, answers := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
	mattermost := newReceiver(t)
	lost := 0
	var answering sync.Mutex
	mattermost.Answer = func(string) (int, bool) {
		answering.Lock()
		defer answering.Unlock()
		switch answers.IntN(12) {
		case 0:
			return 503, false
		case 1:
			return 0, false
		case 2:
			lost++
			return 0, true // received, and nobody is told so
		}
		return 200, true
	}
	dir := folder(t, map[string]string{"tasks.yaml": webhook})
	marks := filepath.Join(t.TempDir(), "marks")
	writeFiles(t, dir, map[string]string{
		"each.yaml": task("Each", `
schedule: "@every 1s"
catchUp: all
overlap: allow
retention: {runs: 100000}
env: {MARKS: "`+marks+`"}
script: |
  echo "$AGENT_RUN_SCHEDULED_FOR" >>"$MARKS"
  sleep 0.$((RANDOM % 9))`),
		"slow.yaml": task("Slow", `
schedule: "@every 2s"
catchUp: all
overlap: queue
retention: {runs: 100000}
script: sleep 1`),
	})
	a := newInstance(t, dir, []string{opsURL(mattermost)})
	a.ready()
	for i := range kills {
		time.Sleep(time.Duration(random.IntN(1200)) * time.Millisecond)
		a.kill()
		if i%10 == 0 {
			time.Sleep(2 * time.Second) // away for longer than a slot
		}
		a.start()
		if i%3 == 0 {
			a.awaitStatus("ready", func(s api.Status) bool { return s.Ready })
		}
	}
	a.awaitStatus("ready", func(s api.Status) bool { return s.Ready })
	until := time.Now()
	mattermost.mu.Lock()
	mattermost.Answer = nil
	mattermost.mu.Unlock()

	runs := map[string]map[int64]api.Run{"each": {}, "slow": {}}
	await(t, "all slots to be settled and told", func() (int, bool) {
		open, told := 0, true
		for id := range runs {
			all := allRuns(t, a, id)
			clear(runs[id])
			for _, r := range all {
				slot := r.ScheduledFor.Unix()
				if slot > until.Unix() {
					continue
				}
				if other, ok := runs[id][slot]; ok {
					t.Fatalf("two runs of one slot: %s and %s", other.Label, r.Label)
				}
				runs[id][slot] = r
				if !r.State.Final() {
					open++
				}
				for _, n := range r.Notices {
					told = told && n.State == "delivered"
				}
			}
		}
		return open, open == 0 && told
	})
	ended := map[run.State]int{}
	for id, step := range map[string]int64{"each": 1, "slow": 2} {
		slots := runs[id]
		first, last := int64(1<<62), int64(0)
		for slot := range slots {
			first, last = min(first, slot), max(last, slot)
		}
		if until.Unix()-last > 2*step {
			t.Errorf("%s: the last slot is %d s before the end", id, until.Unix()-last)
		}
		for slot := first; slot <= last; slot += step {
			r, ok := slots[slot]
			if !ok {
				t.Errorf("%s: no run for %s", id, time.Unix(slot, 0).UTC())
				continue
			}
			ended[r.State]++
			events := map[string]int{}
			for _, n := range r.Notices {
				events[n.Event]++
				if got := mattermost.count("/runs/" + r.ID); got == 0 {
					t.Errorf("%s: nobody received its notice %s", r.Label, n.Event)
				}
			}
			want := string(r.State)
			if r.State == run.Success && events["recovered"] > 0 {
				want = "recovered"
			}
			if events[want] != 1 {
				t.Errorf("%s is %s, and its notices are %v", r.Label, r.State, events)
			}
		}
	}
	text, err := os.ReadFile(marks)
	if err != nil {
		t.Fatal(err)
	}
	started := map[string]bool{}
	for _, mark := range strings.Fields(string(text)) {
		if started[mark] {
			t.Errorf("the script ran twice for %s", mark)
		}
		started[mark] = true
	}
	// A message that came twice must have lost an answer, or its agent in
	// between the answer and its record.
	twice := 0
	seen := map[string]bool{}
	for _, p := range mattermost.all() {
		if seen[p.Text] {
			twice++
		}
		seen[p.Text] = true
	}
	if twice > lost+kills {
		t.Errorf("%d messages came twice, with %d answers lost and %d kills", twice, lost, kills)
	}
	t.Logf("%d kills: runs %v, %d messages, %d of them twice (%d answers lost)", kills, ended, len(mattermost.all()), twice, lost)
}

// allRuns lists all runs of a task with their notices.
func allRuns(t *testing.T, a *instance, id string) []api.Run {
	t.Helper()
	var all []api.Run
	for q := (client.RunQuery{Task: id, Notices: true, Limit: 100}); ; {
		page, err := a.Client.Runs(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Items...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return all
		}
	}
}
