package runners_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apimeld/agent/runners"
)

// A trial is one script started as the agent would.
type trial struct {
	*runners.Process
	mu    sync.Mutex
	lines []string // "stream[/level]: text"
	got   chan struct{}
}

func start(t *testing.T, language, script string, env ...string) *trial {
	t.Helper()
	lang, ok := runners.Lookup(language)
	if !ok {
		t.Fatalf("no language %q", language)
	}
	if _, err := lang.Find(""); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	sdk, err := runners.InstallSDK(filepath.Join(dir, "sdk"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "script"+lang.Inline(script))
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	command, err := runners.Prepare(runners.Script{Language: language, Path: path, Args: []string{"one", "two words"}}, runners.Kit{SDK: sdk, Cache: filepath.Join(dir, "cache")})
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial{got: make(chan struct{}, 1000)}
	env = append([]string{"PATH=" + os.Getenv("PATH"), "AGENT_RUN_SOCKET=/nonexistent", "AGENT_RUN_TOKEN=x"}, env...)
	tr.Process, err = runners.New(runners.Spec{
		Command: command, Env: env, Dir: dir, Pipe: filepath.Join(t.TempDir(), "log"),
		Output: func(o runners.Output) {
			tr.mu.Lock()
			defer tr.mu.Unlock()
			name := o.Stream
			if o.Level != "" {
				name += "/" + o.Level
			}
			tr.lines = append(tr.lines, name+": "+string(o.Line))
			select {
			case tr.got <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	if err := tr.Start(); err != nil {
		t.Fatal(err)
	}
	return tr
}

func (tr *trial) output() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.lines)
}

func TestExit(t *testing.T) {
	code := func(n int) *int { return &n }
	for _, tt := range []struct {
		name, language, script string
		want                   runners.Exit
		lines                  []string
	}{
		{"success", "bash", `echo "$1|$2|$#"`, runners.Exit{Code: code(0)}, []string{"stdout: one|two words|2"}},
		{"failure", "bash", "echo no >&2; exit 3", runners.Exit{Code: code(3)}, []string{"stderr: no"}},
		{"signal", "bash", "kill -9 $$", runners.Exit{Signal: "killed"}, nil},
		{"no line end", "bash", "printf 'a\\r\\nb'", runners.Exit{Code: code(0)}, []string{"stdout: a", "stdout: b"}},
		{"standard input", "bash", "cat; echo done", runners.Exit{Code: code(0)}, []string{"stdout: done"}},
		{"python", "python", "import sys; print(sys.argv[1:])", runners.Exit{Code: code(0)}, []string{"stdout: ['one', 'two words']"}},
		{"python error", "python", "raise SystemExit(4)", runners.Exit{Code: code(4)}, nil},
		{"output behind it", "bash", "exec > >(sleep 0.1; cat); echo late", runners.Exit{Code: code(0)}, []string{"stdout: late"}},
		{"daemon of its own", "bash", "mkfifo p; setsid bash -c 'exec >/dev/null 2>&1; echo >p; sleep 5' & read <p; echo ok", runners.Exit{Code: code(0)}, []string{"stdout: ok"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := start(t, tt.language, tt.script)
			if diff := cmp.Diff(tt.want, tr.Wait()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.lines, tr.output()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// alive reports whether a process goes on although it has been killed; its end
// takes the kernel a moment.
func alive(pid int) bool {
	for range 400 {
		if !exists(pid) {
			return false
		}
		time.Sleep(5 * time.Millisecond)
	}
	return true
}

func exists(pid int) bool {
	s, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(s), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// childPID is the number that a script wrote as its first line.
func childPID(t *testing.T, tr *trial) int {
	t.Helper()
	for len(tr.output()) == 0 {
		select {
		case <-tr.got:
		case <-time.After(20 * time.Second):
			t.Fatal("the script wrote nothing")
		}
	}
	pid, err := strconv.Atoi(strings.TrimPrefix(tr.output()[0], "stdout: "))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// TestGroupEnds stops scripts that do not want to end, and looks for what they started.
func TestGroupEnds(t *testing.T) {
	for name, script := range map[string]string{
		"child":             "sleep 1000 & echo $!; wait",
		"deaf":              "trap '' TERM; sleep 1000 & echo $!; while :; do sleep 1000; done",
		"ends, child deaf":  "trap 'exit 7' TERM; (trap '' TERM; while :; do sleep 1000; done) & echo $!; wait",
		"child holds pipes": "sleep 1000 & echo $!; sleep 1000",
	} {
		t.Run(name, func(t *testing.T) {
			tr := start(t, "bash", script)
			pid := childPID(t, tr)
			tr.Stop(200 * time.Millisecond)
			tr.Wait()
			if alive(pid) {
				t.Errorf("process %d is still alive", pid)
			}
		})
	}
}

// TestLeftover ends what a script leaves behind, however it holds on.
func TestLeftover(t *testing.T) {
	for name, script := range map[string]string{
		"with the pipes":    "sleep 1000 & echo $!",
		"without the pipes": "sleep 1000 >/dev/null 2>&1 & echo $!",
	} {
		t.Run(name, func(t *testing.T) {
			tr := start(t, "bash", script)
			pid := childPID(t, tr)
			if exit := tr.Wait(); !exit.Leftover || exit.Code == nil || *exit.Code != 0 {
				t.Errorf("exit %+v", exit)
			}
			if alive(pid) {
				t.Errorf("process %d is still alive", pid)
			}
		})
	}
}

// TestPipeHeldOutside leaves a process in another session with the pipes open.
func TestPipeHeldOutside(t *testing.T) {
	tr := start(t, "bash", `setsid bash -c 'echo $$; sleep 1000' & wait; `)
	pid := childPID(t, tr)
	defer syscall.Kill(pid, syscall.SIGKILL)
	tr.Stop(100 * time.Millisecond)
	ended := make(chan struct{})
	go func() { tr.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("waits for a pipe that something else holds")
	}
}

func TestLoggers(t *testing.T) {
	long := strings.Repeat("ä", 5000)
	for language, script := range map[string]string{
		"bash": `log_debug "a  b" c; log_info $'two\nlines'; log_warning; bash -c 'log_error "from a child"'
v=; for i in {1..5000}; do v+=ä; done; log_info "$v"`,
		"python": "logger.debug('a  b %s', 'c'); logger.info('two\\nlines'); logger.warning(''); logger.error('from a child')\nlogger.info('ä' * 5000)",
	} {
		t.Run(language, func(t *testing.T) {
			tr := start(t, language, script, "LANG=C.UTF-8")
			if exit := tr.Wait(); exit.Code == nil || *exit.Code != 0 {
				t.Fatalf("exit %+v: %q", exit, tr.output())
			}
			got := tr.output()
			want := []string{"logger/debug: a  b c", "logger/info: two", "logger/info: lines", "logger/warning: ", "logger/error: from a child"}
			if diff := cmp.Diff(want, got[:min(len(got), 5)]); diff != "" {
				t.Error(diff)
			}
			text := ""
			for _, l := range got[min(len(got), 5):] {
				text += strings.TrimPrefix(l, "logger/info: ")
			}
			if text != long {
				t.Errorf("the long line became %d bytes", len(text))
			}
		})
	}
}

// TestOrder holds what is written to different pipes in the order of writing.
func TestOrder(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs epoll")
	}
	write := map[string]string{"stdout: x": "echo x", "stderr: x": "echo x >&2", "logger/info: x": "log_info x"}
	for _, want := range [][]string{
		{"stdout: x", "stderr: x", "logger/info: x"}, {"stdout: x", "logger/info: x", "stderr: x"},
		{"stderr: x", "stdout: x", "logger/info: x"}, {"stderr: x", "logger/info: x", "stdout: x"},
		{"logger/info: x", "stdout: x", "stderr: x"}, {"logger/info: x", "stderr: x", "stdout: x"},
	} {
		for range 10 {
			tr := start(t, "bash", write[want[0]]+";"+write[want[1]]+";"+write[want[2]])
			tr.Wait()
			if diff := cmp.Diff(want, tr.output()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		}
	}
}

// TestWithoutAgent runs scripts of an agent that is gone: nobody reads their
// logger's pipe, and nobody answers.
func TestWithoutAgent(t *testing.T) {
	for language, script := range map[string]string{
		"bash":       "for i in {1..2000}; do log_info some words to fill a pipe with; done\nprogress 1 2\nnotify_mattermost Ops x || echo done",
		"python":     "for i in range(2000): logger.info('some words to fill a pipe with')\nprogress(1, 2)\ntry: notifications.send_mattermost('Ops', 'x')\nexcept notifications.Error: print('done')",
		"javascript": "for (let i = 0; i < 2000; i++) logger.info('some words to fill a pipe with')\nprogress(1, 2)\ntry { notifications.sendMattermost('Ops', 'x') } catch (e) { if (e instanceof notifications.Error) console.log('done') }",
		"powershell": "foreach ($i in 1..2000) { $logger.Info('some words to fill a pipe with') }\n$progress.Set(1, 2)\ntry { $notifications.SendMattermost('Ops', 'x') } catch { 'done' }",
		"csharp":     "for (var i = 0; i < 2000; i++) Logger.Info(\"some words to fill a pipe with\");\nProgress.Set(1, 2);\ntry { Notifications.SendMattermost(\"Ops\", \"x\"); } catch (ApiMeld.Script.AgentException) { Console.WriteLine(\"done\"); }",
	} {
		t.Run(language, func(t *testing.T) {
			lang, _ := runners.Lookup(language)
			if _, err := lang.Find(""); err != nil {
				t.Skip(err)
			}
			dir := t.TempDir()
			sdk, err := runners.InstallSDK(filepath.Join(dir, "sdk"))
			pipe, path := filepath.Join(dir, "pipe"), filepath.Join(dir, "script"+lang.Inline(script))
			if err := errors.Join(err, syscall.Mkfifo(pipe, 0o600), os.WriteFile(path, []byte(script), 0o600)); err != nil {
				t.Fatal(err)
			}
			command, err := runners.Prepare(runners.Script{Language: language, Path: path}, runners.Kit{SDK: sdk, Cache: dir})
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(command.Path, command.Args...)
			cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AGENT_RUN_LOG=" + pipe, "AGENT_RUN_SOCKET=/nonexistent", "AGENT_RUN_TOKEN=x", "AGENT_RUN_BIN=/nonexistent"}, command.Env...)
			for _, p := range command.Prepend {
				cmd.Env = append(cmd.Env, p.Name+"="+p.Value)
			}
			out, err := cmd.Output()
			if err != nil || strings.TrimSpace(string(out)) != "done" {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
}

// TestPythonStaysOutOfTheWay runs scripts that have names and modules of their own.
func TestPythonStaysOutOfTheWay(t *testing.T) {
	own := t.TempDir()
	if err := os.WriteFile(filepath.Join(own, "sitecustomize.py"), []byte("import builtins; builtins.mine = 'chained'"), 0o600); err != nil {
		t.Fatal(err)
	}
	tr := start(t, "python", `
import logging, sitecustomize
notifications = "own"
def logger(): return "own too"
print(mine, notifications, logger(), logging.getLogger().name)
`, "PYTHONPATH="+own)
	tr.Wait()
	if diff := cmp.Diff([]string{"stdout: chained own own too root"}, tr.output()); diff != "" {
		t.Error(diff)
	}
}

func TestAgentGone(t *testing.T) {
	tr := start(t, "python", `
try:
    notifications.send_mattermost('Ops', 'x')
except notifications.Error as e:
    print("caught:", e)
`)
	tr.Wait()
	if out := tr.output(); len(out) != 1 || !strings.HasPrefix(out[0], "stdout: caught: reach the agent") {
		t.Errorf("%q", out)
	}
}

func TestLongLines(t *testing.T) {
	tr := start(t, "bash", "head -c 200000 /dev/zero | tr '\\0' x; echo; echo end")
	tr.Wait()
	total := 0
	for _, l := range tr.output() {
		total += len(strings.TrimPrefix(l, "stdout: "))
	}
	if total != 200_003 || len(tr.output()) != 5 {
		t.Errorf("%d bytes in %d lines", total, len(tr.output()))
	}
}

func TestOrphan(t *testing.T) {
	cmd := exec.Command("bash", "-c", "sleep 1000 & echo $!; wait")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "AGENT_RUN_ID=run-1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }()
	var child int
	if _, err := fmt.Fscan(out, &child); err != nil {
		t.Fatal(err)
	}
	started, err := runners.StartTime(cmd.Process.Pid)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no /proc here")
	}
	if err != nil {
		t.Fatal(err)
	}
	if found := runners.FindOrphans(map[string]bool{"run-1": true, "run-2": true}); len(found["run-1"]) != 2 || len(found["run-2"]) != 0 {
		t.Errorf("found %v", found)
	}
	if was, err := runners.EndOrphan(cmd.Process.Pid, started+1, "another run", time.Second); was || err != nil {
		t.Errorf("ended a stranger: %v, %v", was, err)
	}
	if was, err := runners.EndOrphan(cmd.Process.Pid, started, "run-1", time.Second); !was || err != nil {
		t.Errorf("EndOrphan = %v, %v", was, err)
	}
	if alive(child) {
		t.Error("its child is still alive")
	}
}

func TestMissingInterpreter(t *testing.T) {
	_, err := runners.Prepare(runners.Script{Language: "python", Interpreter: "no-such-python"}, runners.Kit{})
	if err == nil || !strings.Contains(err.Error(), "--python") {
		t.Errorf("err = %v", err)
	}
	if _, err := runners.Prepare(runners.Script{Language: "cobol"}, runners.Kit{}); err == nil {
		t.Error("no error for an unknown language")
	}
}

// BenchmarkProcess is beside BenchmarkForkExec: what does a process cost here, and bare?
func BenchmarkProcess(b *testing.B) {
	pipe := filepath.Join(b.TempDir(), "log")
	for b.Loop() {
		p, err := runners.New(runners.Spec{Command: runners.Command{Path: "/bin/true"}, Dir: "/", Pipe: pipe, Output: func(runners.Output) {}})
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Start(); err != nil {
			b.Fatal(err)
		}
		p.Wait()
		p.Close()
	}
}

func BenchmarkForkExec(b *testing.B) {
	for b.Loop() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			b.Fatal(err)
		}
	}
}
