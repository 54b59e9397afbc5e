// Command bench measures the agent beside what it is compared with, in one
// run on one machine, and prints a table of ratios:
//
//	go run ./tests/bench            # everything, some minutes
//	go run ./tests/bench validate start burst trigger runs commit idle languages
//
// kubeconform and supercronic are compared with if they are on PATH.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/client"
)

// A row is one line of the table.
type row struct{ what, ours, peer, ratio, target string }

type bench struct {
	dir    string
	binary string
	rows   []row
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(names []string) error {
	dir, err := os.MkdirTemp("", "agent-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, binary: filepath.Join(dir, "agent")}
	if out, err := exec.Command("go", "build", "-o", b.binary, "github.com/apimeld/agent/agent").CombinedOutput(); err != nil {
		return fmt.Errorf("build agent: %w\n%s", err, out)
	}
	parts := []struct {
		name string
		run  func() error
	}{
		{"validate", b.validate},
		{"start", b.start},
		{"burst", b.burst},
		{"trigger", b.trigger},
		{"runs", b.runs},
		{"commit", b.commit},
		{"idle", b.idle},
		{"languages", b.languages},
	}
	for _, p := range parts {
		if len(names) == 0 || slices.Contains(names, p.name) {
			fmt.Fprintf(os.Stderr, "%s …\n", p.name)
			if err := p.run(); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	fmt.Printf("%s, %d processors, %s\n\n", runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tAGENT\tPEER\tRATIO\tTARGET")
	for _, r := range b.rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.what, r.ours, r.peer, r.ratio, r.target)
	}
	return w.Flush()
}

func (b *bench) add(what, ours, peer, ratio, target string) {
	b.rows = append(b.rows, row{what, ours, peer, ratio, target})
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1000) }

func percentile(all []time.Duration, p float64) time.Duration {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[min(len(all)-1, int(float64(len(all))*p))]
}

// taskText is a task of about 500 bytes.
func taskText(i int, more string) string {
	return fmt.Sprintf(`kind: Task
name: Task number %d
description: One of very many tasks, which together make a large repository. It does nothing at all.
labels:
  team: team-%d
  system: warehouse
schedule:
  - cron: "%d %d 1 1 *"
    timezone: Europe/Berlin
timeout: 30m
retry:
  attempts: 3
  delay: 30s
env:
  SHOP: eu
  LEVEL: "7"
  ENDPOINT: https://shop.example.com/api/v3/orders
notify:
  - webhook: Ops Channel
    events: [failure, timeout]
script: |
  echo "number %d"
%s`, i, i%40, i%60, i%24, i, more)
}

// repository writes n tasks, one a file, into a folder.
func (b *bench) repository(name string, n int) (string, error) {
	dir := filepath.Join(b.dir, name)
	for i := range n {
		sub := filepath.Join(dir, fmt.Sprintf("team-%02d", i%40))
		if i < 40 {
			if err := os.MkdirAll(sub, 0o755); err != nil {
				return "", err
			}
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("task-%05d.yaml", i)), []byte(taskText(i, "")), 0o644); err != nil {
			return "", err
		}
	}
	hook := "kind: Webhook\nname: Ops Channel\nurl: https://mattermost.example.com/hooks/x\n"
	return dir, os.WriteFile(filepath.Join(dir, "hooks.yaml"), []byte(hook), 0o644)
}

// measured runs a command and returns how long it took and its largest RSS in bytes.
func measured(name string, args ...string) (time.Duration, int64, error) {
	cmd := exec.Command(name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w\n%s", name, err, out.Bytes()[:min(out.Len(), 2000)])
	}
	return took, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10, nil
}

// validate is beside kubeconform on as many files of the same size.
func (b *bench) validate() error {
	const n = 10_000
	dir, err := b.repository("validate", n)
	if err != nil {
		return err
	}
	var ours, theirs []time.Duration
	var rss int64
	kubeconform, _ := exec.LookPath("kubeconform")
	manifests := filepath.Join(b.dir, "manifests")
	if kubeconform != "" {
		if err := kubernetes(manifests, n); err != nil {
			return err
		}
	}
	for range 5 {
		took, most, err := measured(b.binary, "validate", dir)
		if err != nil {
			return err
		}
		ours, rss = append(ours, took), max(rss, most)
		if kubeconform == "" {
			continue
		}
		took, _, err = measured(kubeconform, "-n", "2", "-schema-location", filepath.Join(manifests, "schema.json"), filepath.Join(manifests, "files"))
		if err != nil {
			return err
		}
		theirs = append(theirs, took)
	}
	peer, ratio := "kubeconform is not on PATH", ""
	mine := percentile(ours, 0.5)
	if len(theirs) > 0 {
		p := percentile(theirs, 0.5)
		peer, ratio = fmt.Sprintf("kubeconform -n 2: %.0f files/s", n/p.Seconds()), fmt.Sprintf("%.2f ×", p.Seconds()/mine.Seconds())
	}
	b.add("validate, 10,000 files of 500 B", fmt.Sprintf("%.0f files/s", n/mine.Seconds()), peer, ratio, "≥ 1.5 ×")
	b.add("validate, memory", fmt.Sprintf("%d MB", rss>>20), "", "", "≤ 60 MB")
	return nil
}

// kubernetes writes manifests of the same size with a schema of the same shape.
func kubernetes(dir string, n int) error {
	files := filepath.Join(dir, "files")
	if err := os.MkdirAll(files, 0o755); err != nil {
		return err
	}
	schema := `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","required":["apiVersion","kind","metadata","data"],"additionalProperties":false,
	"properties":{"apiVersion":{"type":"string"},"kind":{"type":"string"},"metadata":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"labels":{"type":"object","additionalProperties":{"type":"string"}}}},
	"data":{"type":"object","additionalProperties":{"type":"string"}}}}`
	if err := os.WriteFile(filepath.Join(dir, "schema.json"), []byte(schema), 0o644); err != nil {
		return err
	}
	for i := range n {
		text := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: task-%d\n  labels:\n    team: team-%d\n    system: warehouse\ndata:\n  description: One of very many manifests, which together make a large repository. It does nothing at all.\n  cron: \"%d %d 1 1 *\"\n  timezone: Europe/Berlin\n  timeout: 30m\n  attempts: \"3\"\n  delay: 30s\n  shop: eu\n  level: \"7\"\n  endpoint: https://shop.example.com/api/v3/orders\n  webhook: Ops Channel\n  events: failure, timeout\n  script: |\n    echo \"number %d\"\n", i, i%40, i%60, i%24, i)
		if err := os.WriteFile(filepath.Join(files, fmt.Sprintf("task-%05d.yaml", i)), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// An agent is one that runs for a measurement.
type agent struct {
	cmd    *exec.Cmd
	url    string
	client *client.Client
	output bytes.Buffer
}

func (b *bench) agent(source string, args ...string) (*agent, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	l.Close()
	a := &agent{url: "http://" + address}
	if a.client, err = client.New(client.Config{Server: a.url}); err != nil {
		return nil, err
	}
	a.cmd = exec.Command(b.binary, append([]string{"run", source, "--listen", address, "--interval", "1h", "--stop-timeout", "1s", "--log-level", "warn"}, args...)...)
	a.cmd.Stdout, a.cmd.Stderr = &a.output, &a.output
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if answer, err := http.Get(a.url + "/readyz"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return a, nil
			}
		}
	}
	a.stop()
	return nil, fmt.Errorf("the agent does not get ready:\n%s", a.output.String())
}

func (a *agent) stop() {
	_ = a.cmd.Process.Signal(syscall.SIGTERM)
	_ = a.cmd.Wait()
}

func (b *bench) folder(name string, files map[string]string) (string, error) {
	dir := filepath.Join(b.dir, name)
	for file, text := range files {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// mark is a script that writes the instant at which it runs.
const mark = `echo "$EPOCHREALTIME" >>"$MARKS"`

// lateness reads what mark wrote: how long after a full second each is.
func lateness(file string) ([]time.Duration, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var late []time.Duration
	for _, line := range strings.Fields(string(text)) {
		seconds, err := strconv.ParseFloat(line, 64)
		if err != nil {
			return nil, err
		}
		at := time.UnixMicro(int64(seconds * 1e6))
		late = append(late, at.Sub(at.Truncate(time.Second)))
	}
	return late, nil
}

// start is how late a script runs that is due at a full second.
func (b *bench) start() error {
	const seconds = 40
	bash, err := exec.LookPath("bash")
	if err != nil {
		return err
	}
	marks := filepath.Join(b.dir, "marks-agent")
	dir, err := b.folder("start", map[string]string{"t.yaml": "kind: Task\nname: Mark\nschedule: '@every 1s'\nenv: {MARKS: '" + marks + "'}\nscript: '" + mark + "'\n"})
	if err != nil {
		return err
	}
	// One after the other: at the same instant they would wait for each other.
	a, err := b.agent(dir, "--state", filepath.Join(b.dir, "start-state"))
	if err != nil {
		return err
	}
	time.Sleep(seconds * time.Second)
	a.stop()
	bare := filepath.Join(b.dir, "marks-bare")
	script := filepath.Join(b.dir, "mark.sh")
	if err := os.WriteFile(script, []byte(mark+"\n"), 0o755); err != nil {
		return err
	}
	for range seconds {
		next := time.Now().Truncate(time.Second).Add(time.Second)
		timer := time.NewTimer(time.Until(next))
		<-timer.C
		cmd := exec.Command(bash, script)
		cmd.Env = []string{"MARKS=" + bare, "PATH=" + os.Getenv("PATH")}
		if err := cmd.Run(); err != nil {
			return err
		}
	}
	cronic := filepath.Join(b.dir, "marks-supercronic")
	supercronic, _ := exec.LookPath("supercronic")
	if supercronic != "" {
		crontab := filepath.Join(b.dir, "crontab")
		if err := os.WriteFile(crontab, []byte("* * * * * * * "+bash+" "+script+"\n"), 0o644); err != nil {
			return err
		}
		cmd := exec.Command(supercronic, "-quiet", crontab)
		cmd.Env = append(os.Environ(), "MARKS="+cronic)
		if err := cmd.Start(); err != nil {
			return err
		}
		time.Sleep(seconds * time.Second)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	mine, err := lateness(marks)
	if err != nil {
		return err
	}
	base, err := lateness(bare)
	if err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		p    float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		m, o := percentile(mine, p.p), percentile(base, p.p)
		b.add("start lateness, "+p.name, ms(m), "timer, fork and exec: "+ms(o), fmt.Sprintf("%.2f ×", m.Seconds()/o.Seconds()), "p99 ≤ 2 ×")
		if supercronic != "" {
			theirs, err := lateness(cronic)
			if err != nil {
				return err
			}
			o := percentile(theirs, p.p)
			b.add("start lateness, "+p.name, ms(m), "supercronic: "+ms(o), fmt.Sprintf("%.2f ×", m.Seconds()/o.Seconds()), "p99 < 1 ×")
		}
	}
	return nil
}

// burst is how long it takes until 200 tasks that are due at once all run.
func (b *bench) burst() error {
	marks := filepath.Join(b.dir, "marks-burst")
	var text strings.Builder
	for i := range 200 {
		fmt.Fprintf(&text, "kind: Task\nname: T%d\nschedule: '@every 5s'\nenv: {MARKS: '%s'}\nscript: '%s; sleep 1'\n---\n", i, marks, mark)
	}
	dir, err := b.folder("burst", map[string]string{"t.yaml": text.String()})
	if err != nil {
		return err
	}
	a, err := b.agent(dir, "--state", filepath.Join(b.dir, "burst-state"), "--max-runs", "200")
	if err != nil {
		return err
	}
	time.Sleep(11 * time.Second)
	a.stop()
	late, err := lateness(marks)
	if err != nil {
		return err
	}
	// The same scripts from a loop that does nothing else.
	bare := filepath.Join(b.dir, "marks-burst-bare")
	script := filepath.Join(b.dir, "burst.sh")
	if err := os.WriteFile(script, []byte(mark+"\nsleep 1\n"), 0o755); err != nil {
		return err
	}
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	for range 200 {
		cmd := exec.Command("bash", script)
		cmd.Env = []string{"MARKS=" + bare, "PATH=" + os.Getenv("PATH")}
		if err := cmd.Start(); err != nil {
			return err
		}
		defer func() { _ = cmd.Wait() }()
	}
	time.Sleep(2 * time.Second)
	lateBare, err := lateness(bare)
	if err != nil {
		return err
	}
	last, lastBare := percentile(late, 1), percentile(lateBare, 1)
	b.add("200 tasks due in the same second", "last after "+ms(last), "200 × fork and exec: "+ms(lastBare), fmt.Sprintf("%.2f ×", last.Seconds()/lastBare.Seconds()), "≤ 300 ms")
	return nil
}

// trigger is from a call of the API to the script's first instruction.
func (b *bench) trigger() error {
	marks := filepath.Join(b.dir, "marks-trigger")
	dir, err := b.folder("trigger", map[string]string{"t.yaml": "kind: Task\nname: Mark\nenv: {MARKS: '" + marks + "'}\nscript: '" + mark + "'\n"})
	if err != nil {
		return err
	}
	a, err := b.agent(dir, "--state", filepath.Join(b.dir, "trigger-state"))
	if err != nil {
		return err
	}
	defer a.stop()
	script := filepath.Join(b.dir, "mark2.sh")
	if err := os.WriteFile(script, []byte(mark+"\n"), 0o755); err != nil {
		return err
	}
	took := func(file string, do func() error) (time.Duration, error) {
		_ = os.Remove(file)
		began := time.Now()
		if err := do(); err != nil {
			return 0, err
		}
		for range 20_000 {
			if text, err := os.ReadFile(file); err == nil && bytes.HasSuffix(text, []byte("\n")) {
				seconds, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
				return time.UnixMicro(int64(seconds * 1e6)).Sub(began), err
			}
			time.Sleep(200 * time.Microsecond)
		}
		return 0, fmt.Errorf("no mark in %s", file)
	}
	var ours, bare []time.Duration
	for range 200 {
		d, err := took(marks, func() error { _, err := a.client.Trigger(context.Background(), "mark", nil); return err })
		if err != nil {
			return err
		}
		ours = append(ours, d)
		time.Sleep(5 * time.Millisecond) // its end is stored, and the next is no overlap
		d, err = took(marks+"-bare", func() error {
			cmd := exec.Command("bash", script)
			cmd.Env = []string{"MARKS=" + marks + "-bare", "PATH=" + os.Getenv("PATH")}
			if err := cmd.Start(); err != nil {
				return err
			}
			go func() { _ = cmd.Wait() }()
			return nil
		})
		if err != nil {
			return err
		}
		bare = append(bare, d)
		time.Sleep(5 * time.Millisecond)
	}
	m, o := percentile(ours, 0.5), percentile(bare, 0.5)
	b.add("trigger over the API to its process, p50", ms(m), "fork and exec: "+ms(o), fmt.Sprintf("%.2f ×", m.Seconds()/o.Seconds()), "≤ 3 ×")
	return nil
}

// runs is how many trivial runs a second there are, 64 at a time, each
// durable with log and history.
func (b *bench) runs() error {
	const total, parallel = 3000, 64
	dir, err := b.folder("runs", map[string]string{"t.yaml": "kind: Task\nname: Trivial\noverlap: allow\nretention: {runs: 100000}\nscript: 'echo done'\n"})
	if err != nil {
		return err
	}
	a, err := b.agent(dir, "--state", filepath.Join(b.dir, "runs-state"), "--max-runs", strconv.Itoa(parallel))
	if err != nil {
		return err
	}
	defer a.stop()
	transport := &http.Transport{MaxIdleConnsPerHost: parallel}
	began := time.Now()
	err = inParallel(total, parallel, func() error {
		answer, err := (&http.Client{Transport: transport}).Post(a.url+api.Prefix+"/tasks/trivial/runs", "", nil)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusCreated {
			return fmt.Errorf("trigger: %s", answer.Status)
		}
		return json.NewDecoder(answer.Body).Decode(&struct{}{})
	})
	if err != nil {
		return err
	}
	for {
		answer, err := http.Get(a.url + "/metrics")
		if err != nil {
			return err
		}
		var text bytes.Buffer
		_, _ = text.ReadFrom(answer.Body)
		answer.Body.Close()
		if strings.Contains(text.String(), fmt.Sprintf("apimeld_agent_runs_total{state=\"success\"} %d\n", total)) {
			break
		}
		if time.Since(began) > 2*time.Minute {
			return fmt.Errorf("not all runs ended well:\n%s", text.String())
		}
		time.Sleep(50 * time.Millisecond) // asking costs the agent something, too
	}
	ours := total / time.Since(began).Seconds()
	script := filepath.Join(b.dir, "done.sh")
	if err := os.WriteFile(script, []byte("echo done\n"), 0o755); err != nil {
		return err
	}
	bare := func(name string, args ...string) (float64, error) {
		began := time.Now()
		err := inParallel(total, parallel, func() error { return exec.Command(name, args...).Run() })
		return total / time.Since(began).Seconds(), err
	}
	same, err := bare("bash", script)
	if err != nil {
		return err
	}
	least, err := bare("/bin/true")
	if err != nil {
		return err
	}
	b.add("trivial durable runs, 64 at a time", fmt.Sprintf("%.0f/s", ours), fmt.Sprintf("fork and exec of bash: %.0f/s", same), fmt.Sprintf("%.0f %%", 100*ours/same), "≥ 50 %")
	b.add("trivial durable runs, 64 at a time", fmt.Sprintf("%.0f/s", ours), fmt.Sprintf("fork and exec of true: %.0f/s", least), fmt.Sprintf("%.0f %%", 100*ours/least), "")
	return nil
}

func inParallel(total, parallel int, do func() error) error {
	work, errs := make(chan struct{}), make(chan error, parallel)
	for range parallel {
		go func() {
			var first error
			for range work {
				if err := do(); err != nil && first == nil {
					first = err
				}
			}
			errs <- first
		}()
	}
	for range total {
		work <- struct{}{}
	}
	close(work)
	var first error
	for range parallel {
		if err := <-errs; err != nil {
			first = err
		}
	}
	return first
}
