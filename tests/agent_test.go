package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/client"
)

// An instance is an agent's process.
type instance struct {
	t      testing.TB
	args   []string
	env    []string
	State  string
	URL    string
	Client *client.Client

	cmd    *exec.Cmd
	ended  chan struct{}
	mu     sync.Mutex
	output bytes.Buffer
}

// newInstance prepares an agent for a source; env is added to its environment.
func newInstance(t testing.TB, source string, env []string, args ...string) *instance {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	i := &instance{t: t, State: t.TempDir(), URL: "http://" + address}
	i.args = append([]string{"run", source, "--state", i.State, "--listen", address, "--interval", "1h"}, args...)
	i.env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LANG=C.UTF-8"}, env...)
	if i.Client, err = client.New(client.Config{Server: i.URL}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		i.kill()
		if t.Failed() {
			t.Logf("output of the agent:\n%s", i.log())
		}
	})
	return i
}

func (i *instance) Write(b []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.output.Write(b)
}

func (i *instance) log() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.output.String()
}

// start starts the process, and does not wait for anything.
func (i *instance) start() {
	i.t.Helper()
	i.cmd = exec.Command(binary, i.args...)
	i.cmd.Env, i.cmd.Stdout, i.cmd.Stderr = i.env, i, i
	if err := i.cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	ended := make(chan struct{})
	i.ended = ended
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait()
		close(ended)
	}(i.cmd)
}

// ready starts the process and waits until a revision is live.
func (i *instance) ready() *instance {
	i.t.Helper()
	i.start()
	i.awaitStatus("ready", func(s api.Status) bool {
		if !s.Ready && s.Problems > 0 {
			i.t.Fatal("its first revision is rejected")
		}
		return s.Ready
	})
	return i
}

func (i *instance) awaitStatus(what string, is func(api.Status) bool) api.Status {
	i.t.Helper()
	return await(i.t, what, func() (api.Status, bool) {
		s, err := i.Client.Status(context.Background())
		return s, err == nil && is(s)
	})
}

// await asks until the answer is yes.
func await[T any](t testing.TB, what string, ask func() (T, bool)) T {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if v, ok := ask(); ok {
			return v
		}
	}
	v, _ := ask()
	t.Fatalf("waited in vain for: %s; at last %+v", what, v)
	return v
}

// awaitRun waits until a run of a task has ended, and returns it with everything.
func (i *instance) awaitRun(ref string) api.Run {
	i.t.Helper()
	return await(i.t, ref+" to end", func() (api.Run, bool) {
		r, err := i.Client.Run(context.Background(), ref)
		return r, err == nil && r.State.Final()
	})
}

func (i *instance) logOf(ref string) string {
	i.t.Helper()
	var lines []string
	err := i.Client.Log(context.Background(), ref, api.Position{}, func(l api.Line) error {
		lines = append(lines, l.Text)
		return nil
	})
	if err != nil {
		i.t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// stop stops the process as an operator does.
func (i *instance) stop() {
	i.t.Helper()
	_ = i.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-i.ended:
	case <-time.After(60 * time.Second):
		i.t.Fatal("the agent does not stop")
	}
}

// kill ends the process without warning.
func (i *instance) kill() {
	if i.cmd != nil && i.cmd.Process != nil {
		_ = i.cmd.Process.Kill()
		<-i.ended
	}
}

// agent runs a command of the binary and returns its output and exit code.
func (i *instance) agent(args ...string) (string, int) {
	i.t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(i.env, "AGENT_SERVER="+i.URL)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		i.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// folder writes a configuration into a folder of its own.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, files)
	return dir
}

func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// webhook is a document of kind Webhook whose URL is the secret ops-url.
const webhook = "kind: Webhook\nname: Ops Channel\nurl: ${secret:ops-url}\n"

// opsURL is the variable with that secret.
func opsURL(r *receiver) string { return "AGENT_SECRET_OPS_URL=" + r.URL + "/hooks/" + hookID }

const hookID = "kz1qfwkzkpyj8k4o9m3x7hqyde"

func task(name, more string) string {
	return fmt.Sprintf("kind: Task\nname: %s\n%s\nnotify:\n  - webhook: Ops Channel\n    events: [success, failure, timeout, start, recovered, cancelled, skipped, lost]\n", name, more)
}

func toJSON(v any) string {
	b, _ := json.MarshalIndent(v, "", "  ")
	return string(b)
}
