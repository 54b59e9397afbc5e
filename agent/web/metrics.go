package web

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"

	"github.com/apimeld/agent/agent/run"
)

// metrics writes Prometheus' text format, version 0.0.4. Labels hold states
// and versions only, never a task: their number must stay small.
func (h *Handler) metrics(w http.ResponseWriter, r *http.Request) error {
	counts, err := h.Store.Counts(r.Context())
	if err != nil {
		return err
	}
	size, err := h.Store.Size(r.Context())
	if err != nil {
		return err
	}
	waiting, err := h.Store.PendingWebhooks(r.Context())
	if err != nil {
		return err
	}
	s := h.Agent.Status()
	var m exposition
	m.family("apimeld_agent_info", "gauge", "The agent's version and the live revision.")
	m.sample("apimeld_agent_info", 1, "version", h.Version, "revision", s.Revision)
	m.single("apimeld_agent_ready", "gauge", "1 when a revision is live and its schedules are at work.", boolean(s.Ready))
	m.single("apimeld_agent_start_time_seconds", "gauge", "When the agent started, in seconds since 1970.", seconds(s.Started.UnixMilli()))
	m.single("apimeld_agent_tasks", "gauge", "Tasks of the live revision.", float64(s.Tasks))
	m.single("apimeld_agent_webhooks", "gauge", "Webhooks of the live revision.", float64(s.Webhooks))

	m.family("apimeld_agent_runs_total", "counter", "Runs that have ended, by final state.")
	for _, state := range run.States() {
		if state.Final() {
			m.sample("apimeld_agent_runs_total", float64(counts[state]), "state", string(state))
		}
	}
	m.single("apimeld_agent_runs_running", "gauge", "Runs whose process is going.", float64(s.Running))
	m.single("apimeld_agent_runs_queued", "gauge", "Runs that wait for a place.", float64(s.Queued))
	m.single("apimeld_agent_runs_max", "gauge", "How many runs may go at once.", float64(s.MaxRuns))

	m.single("apimeld_agent_webhooks_waiting", "gauge", "Webhooks with notices that are not delivered yet.", float64(len(waiting)))

	m.single("apimeld_agent_sync_success", "gauge", "1 when the last look at the source reached it.", boolean(s.SyncError == ""))
	if !s.Synced.IsZero() {
		m.single("apimeld_agent_sync_timestamp_seconds", "gauge", "The last look that reached the source, in seconds since 1970.", seconds(s.Synced.UnixMilli()))
	}
	m.single("apimeld_agent_revision_problems", "gauge", "Problems of the newest revision, when it is rejected.", float64(s.Problems))
	m.single("apimeld_agent_database_bytes", "gauge", "Size of the database.", float64(size))

	m.single("go_goroutines", "gauge", "Goroutines that exist.", float64(runtime.NumGoroutine()))
	m.memory()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(m.Bytes())
	return nil
}

// An exposition is metrics in the making.
type exposition struct{ bytes.Buffer }

func (e *exposition) family(name, kind, help string) {
	fmt.Fprintf(e, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// sample writes one value; labels are names and values by turns.
func (e *exposition) sample(name string, value float64, labels ...string) {
	e.WriteString(name)
	if len(labels) > 0 {
		var pairs []string
		for pair := range slices.Chunk(labels, 2) {
			pairs = append(pairs, pair[0]+`="`+escapeLabel.Replace(pair[1])+`"`)
		}
		e.WriteString("{" + strings.Join(pairs, ",") + "}")
	}
	e.WriteString(" " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
}

func (e *exposition) single(name, kind, help string, value float64) {
	e.family(name, kind, help)
	e.sample(name, value)
}

// memory writes what Go's runtime knows; unlike runtime.ReadMemStats this stops nothing.
func (e *exposition) memory() {
	for _, m := range []struct{ from, name, kind, help string }{
		{"/memory/classes/heap/objects:bytes", "go_memstats_heap_alloc_bytes", "gauge", "Bytes of heap objects."},
		{"/memory/classes/total:bytes", "go_memstats_sys_bytes", "gauge", "Bytes taken from the system."},
		{"/gc/cycles/total:gc-cycles", "go_gc_cycles_total", "counter", "Garbage collections."},
	} {
		sample := []metrics.Sample{{Name: m.from}}
		metrics.Read(sample)
		if sample[0].Value.Kind() == metrics.KindUint64 {
			e.single(m.name, m.kind, m.help, float64(sample[0].Value.Uint64()))
		}
	}
}

var escapeLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(milliseconds int64) float64 { return float64(milliseconds) / 1000 }
