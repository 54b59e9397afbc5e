package web

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
)

// nextStarts is how many coming starts a task's page names.
const nextStarts = 5

type taskData struct {
	Task   *config.Task // nil when only its history is left
	ID     string
	Name   string
	Zone   *time.Location
	Nexts  []time.Time
	State  []store.StateEntry
	Runs   []run.Run
	Bars   []bar
	Older  string
	Newest bool // this is the first page of its runs
	ZoneOf func(taskID string) *time.Location
}

// taskPage shows a task and its runs. A task that no longer exists has a page
// for as long as it has runs.
func (h *Handler) taskPage(w http.ResponseWriter, r *http.Request) error {
	id, cursor := r.PathValue("id"), r.URL.Query().Get("cursor")
	runs, next, err := h.Store.Runs(r.Context(), store.RunFilter{TaskID: id, Page: store.Page{Cursor: cursor, Limit: perPage}})
	if err != nil {
		return err
	}
	task := h.Agent.Snapshot().Task(id)
	if task == nil && len(runs) == 0 && cursor == "" {
		return h.unknownTask(id)
	}
	d := taskData{ID: id, Name: id, Task: task, Zone: h.zone(id), Runs: runs, Older: moreAddress("/tasks/"+id, next, nil), Newest: cursor == "", ZoneOf: h.zone}
	if task != nil {
		d.Name = task.Name
		d.Nexts = h.nexts(task, nextStarts)
	} else if len(runs) > 0 {
		d.Name = runs[0].TaskName
	}
	if d.State, err = h.Store.States(r.Context(), id); err != nil {
		return err
	}
	if d.Newest {
		d.Bars = bars(runs, h.Now())
	}
	h.render(w, r, http.StatusOK, view{Page: "task", Title: d.Name, Nav: "tasks", Live: "run revision", Data: d})
	return nil
}

// nexts are a task's coming starts, jitter included.
func (h *Handler) nexts(t *config.Task, n int) []time.Time {
	if !t.Enabled || t.Fingerprint == "" {
		return nil
	}
	var starts []time.Time
	at := h.Now()
	// The scheduler may have claimed the very next one already; it is still to come.
	if next := h.Agent.Next(t.ID); next.After(at) {
		starts = append(starts, next)
	}
	for slot := at; len(starts) <= n; {
		var jitter time.Duration
		if slot, jitter = t.Schedule.Next(slot); slot.IsZero() {
			break
		}
		starts = append(starts, t.Due(slot, jitter))
	}
	slices.SortFunc(starts, time.Time.Compare)
	starts = slices.CompactFunc(starts, time.Time.Equal)
	return starts[:min(n, len(starts))]
}

func (h *Handler) unknownTask(id string) error {
	if h.Agent.Snapshot() == nil {
		return fmt.Errorf("%w: no revision is live\nlook at the revisions for what is wrong", api.ErrNotReady)
	}
	return fmt.Errorf("no task has the id %q: %w\nlook at the list of tasks", id, api.ErrUnknownTask)
}

// runTask is the button that runs a task now.
func (h *Handler) runTask(w http.ResponseWriter, r *http.Request) error {
	made, err := h.Agent.Trigger(r.Context(), r.PathValue("id"), run.Order{Trigger: run.Manual})
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/runs/"+made.ID, http.StatusSeeOther)
	return nil
}

// A bar is a run in the little chart of a task's last runs.
type bar struct {
	Run    run.Run
	X      int
	Height int // of 32
}

// bars draws runs, oldest first, as high as they took long.
func bars(runs []run.Run, now time.Time) []bar {
	var longest time.Duration
	for _, r := range runs {
		longest = max(longest, r.Duration(now))
	}
	all := make([]bar, len(runs))
	for i, r := range runs {
		height := 4
		if longest > 0 {
			height += int(28 * r.Duration(now) / longest)
		}
		at := len(runs) - 1 - i
		all[at] = bar{Run: r, X: at * 10, Height: height}
	}
	return all
}

// Y is where a bar begins.
func (b bar) Y() int { return 32 - b.Height }
