package tests

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
	"github.com/apimeld/agent/runners"
	"github.com/apimeld/agent/tests/need"
)

// interpreters are what each language needs, and the package that brings it.
var interpreters = map[string][2]string{
	"bash": {"bash", "bash"}, "python": {"python3", "python3"}, "javascript": {"node", "nodejs"}, "typescript": {"node", "nodejs"},
	"powershell": {"pwsh", "powershell"}, "csharp": {"dotnet", "dotnet-sdk-10.0"},
}

// eachLanguage runs a test for every language whose interpreter is there.
func eachLanguage(t *testing.T, test func(t *testing.T, language string)) {
	for _, language := range runners.Languages() {
		t.Run(language, func(t *testing.T) {
			of, ok := interpreters[language]
			if !ok {
				t.Fatal("no interpreter is named here")
			}
			need.Program(t, of[1], of[0])
			test(t, language)
		})
	}
}

// awkward are texts that quoting, encoding or shells might damage.
var awkward = []string{
	`quotes 'single' "double" and \backslashes\ \n`, "two\nlines\r\nand three", `$HOME ${HOME} $(echo no) %d {0}`, "`ticks` ```fences```",
	"emoji 🙂👩‍👩‍👧 and combining é", "right to left: שלום عليكم", "  spaces\tand tabs  .",
}

// TestContract makes the same calls in every language, and wants the same effects.
func TestContract(t *testing.T) {
	mattermost := newReceiver(t)
	var tasks []string
	for _, language := range runners.Languages() {
		l, _ := runners.Lookup(language)
		script, err := os.ReadFile("testdata/contract/calls" + l.Extensions()[0])
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, fmt.Sprintf("kind: Task\nname: %s\nlanguage: %s\nnotify: []\nscript: |\n  %s\n", language, language, strings.ReplaceAll(string(script), "\n", "\n  ")))
	}
	env := "env:\n"
	for i, text := range awkward {
		env += fmt.Sprintf("  TEXT_%d: %s\n", i+1, toJSON(text))
	}
	tasks = append(tasks, "kind: Defaults\ntimeout: 3m\n"+env, webhook)
	a := newInstance(t, folder(t, map[string]string{"tasks.yaml": strings.Join(tasks, "---\n")}), []string{opsURL(mattermost)}).ready()

	eachLanguage(t, func(t *testing.T, language string) {
		first := a.run(language)
		if first.State != run.Success {
			t.Fatalf("%s %s\n%s", first.State, first.Reason, a.logOf(first.Label))
		}
		want := []string{
			"debug a debug line", "info an info line", "warning a warning line", "error an error line",
			`refused: ` + map[string]string{"bash": "agent: notify Nobody: "}[language] + `unknown webhook "Nobody"; known: Ops Channel`,
			"no counter", `counter: one "two" $three`, "gone is gone", "run: " + language + " 1 1", "payload: none", "info from a child",
		}
		if diff := cmp.Diff(want, logLines(t, a, first)); diff != "" {
			t.Errorf("log (-want +got)\n%s", diff)
		}
		if first.Progress == nil || *first.Progress != (run.Progress{Done: 4, Total: 4, Text: "all of it"}) {
			t.Errorf("progress %s", toJSON(first.Progress))
		}
		var said []string
		for _, n := range first.Notices {
			said = append(said, n.Text)
		}
		var messages []string
		for _, text := range append([]string{"Sync in progress: 500/1000 records processed"}, awkward...) {
			messages = append(messages, language+": "+strings.ReplaceAll(text, "\r\n", "\n"))
		}
		if diff := cmp.Diff(messages, said[:min(len(messages), len(said))]); diff != "" {
			t.Errorf("messages (-want +got)\n%s", diff)
		}
		if rest := said[min(len(messages), len(said)):]; len(rest) != 7 || !strings.Contains(rest[0], "cut here: the text had 1048576 characters") ||
			rest[1] != language+": loop 1" || rest[6] != language+": the last words" {
			t.Errorf("%d more messages: %.300q", len(rest), rest)
		}
		mattermost.await(t, language+": the last words")

		// Again, asked for by a web hook; what the task remembers is still there.
		answer, err := http.Post(a.URL+"/hooks/tasks/"+language+"?from=test", "application/json", strings.NewReader(`{"a": "b c"}`))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		second := a.awaitRun(language + "#2")
		lines := logLines(t, a, second)
		for _, want := range []string{"payload: " + map[string]string{"bash": `{"a": "b c"}`}[language], `webhook: {"a": "b c"}`, "run: " + language + " 2 1"} {
			if !strings.Contains(strings.Join(lines, "\n"), want) {
				t.Errorf("no %q in\n%s", want, strings.Join(lines, "\n"))
			}
		}
		if strings.Contains(strings.Join(lines, "\n"), "no counter") {
			t.Error("the state was forgotten")
		}
	})
}

// TestTogether makes calls from threads, workers or child processes at the same
// time, and sends a NUL where the language can hold one.
func TestTogether(t *testing.T) {
	scripts := map[string]string{
		"bash":       "for i in {1..20}; do notify_mattermost 'Ops Channel' \"no $i\" & done\nwait",
		"python":     "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(8) as pool:\n  list(pool.map(lambda i: notifications.send_mattermost('Ops Channel', f'no {i}'), range(1, 21)))\nnotifications.send_mattermost('Ops Channel', 'nul \\0.')",
		"javascript": "import { Worker } from 'node:worker_threads'\nconst code = `for (let i = 1; i <= 10; i++) notifications.sendMattermost('Ops Channel', 'no ' + (i + 10 * require('node:worker_threads').workerData))`\nawait Promise.all([0, 1].map((workerData) => new Promise((done, no) => new Worker(code, { eval: true, workerData }).on('exit', done).on('error', no))))\nnotifications.sendMattermost('Ops Channel', 'nul \\0.')",
		"powershell": "foreach ($i in 1..20) { $notifications.SendMattermost('Ops Channel', \"no $i\") }\n$notifications.SendMattermost('Ops Channel', \"nul `0.\")",
		"csharp":     "Parallel.For(1, 21, i => Notifications.SendMattermost(\"Ops Channel\", $\"no {i}\"));\nNotifications.SendMattermost(\"Ops Channel\", \"nul \\0.\");",
	}
	tasks := []string{webhook, "kind: Defaults\ntimeout: 3m\n"}
	for language, script := range scripts {
		tasks = append(tasks, bare(language, "language: "+language+"\nscript: |\n  "+strings.ReplaceAll(script, "\n", "\n  ")))
	}
	a := newInstance(t, folder(t, map[string]string{"tasks.yaml": strings.Join(tasks, "---\n")}), []string{opsURL(newReceiver(t))}).ready()
	eachLanguage(t, func(t *testing.T, language string) {
		if scripts[language] == "" {
			t.Skip("as JavaScript")
		}
		r := a.run(language)
		if r.State != run.Success {
			t.Fatalf("%s %s\n%s", r.State, r.Reason, a.logOf(r.Label))
		}
		said := map[string]bool{}
		for _, n := range r.Notices {
			said[n.Text] = true
		}
		for i := range 20 {
			if !said[fmt.Sprintf("no %d", i+1)] {
				t.Errorf("no %d is missing", i+1)
			}
		}
		if language != "bash" && !said["nul ."] || len(r.Notices) > 21 {
			t.Errorf("%d notices: %v", len(r.Notices), said)
		}
	})
}

// logLines are a run's lines, with the logger's levels.
func logLines(t *testing.T, a *instance, r api.Run) (lines []string) {
	t.Helper()
	err := a.Client.Log(t.Context(), r.ID, api.Position{}, func(l api.Line) error {
		switch {
		case l.Level != "" && l.Stream == runlog.Logger:
			lines = append(lines, string(l.Level)+" "+l.Text)
		case l.Stream != runlog.Agent:
			lines = append(lines, l.Text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestLanguages runs files of the source: arguments, exit codes, uncaught
// errors that name the author's file and line, imports, and names of the
// author's own that are those of the SDK.
func TestLanguages(t *testing.T) {
	files := map[string]string{
		"lib/greet.ts":  "export const greet = (name: string): string => `hello ${name}`\nexport const here = import.meta.url\n",
		"lib/greet.cjs": "exports.greet = (name) => `hello ${name}`; exports.here = __filename\n",
		"lib/greet.mjs": "export const greet = (name) => `hello ${name}`\n",
		"lib/greet.py":  "def greet(name): return f'hello {name}'\n",
		"lib/greet.ps1": "function Greet($name) { \"hello $name\" }\n",
		"lib/greet.sh":  "greet() { echo \"hello $1\"; }\n",

		"bash/args.sh":                ". ../lib/greet.sh 2>/dev/null || . lib/greet.sh\ngreet \"$1\"; echo \"$2\"; cat; exit 3\n",
		"bash/error.sh":               "set -e\n\nno-such-command\n",
		"bash/own.sh":                 "log_info() { echo \"own $1\"; }; run=1 state=2; log_info x\n",
		"python/args.py":              "import sys\nsys.path.insert(0, 'lib')\nfrom greet import greet\nprint(greet(sys.argv[1])); print(sys.argv[2]); print(sys.stdin.read(), end=''); sys.exit(3)\n",
		"python/error.py":             "def f():\n    raise ValueError('deep')\nf()\n",
		"python/own.py":               "import logging, notifications\nlogger = logging.getLogger('x'); run = 1; state = {}\nclass Webhook: pass\nprint('own', notifications.x)\n",
		"python/notifications.py":     "x = 'x'\n",
		"javascript/args.js":          "const { greet } = require('../lib/greet.cjs')\nconsole.log(greet(process.argv[2])); console.log(process.argv[3]); process.stdout.write(require('fs').readFileSync(0)); process.exitCode = 3\n",
		"javascript/error.js":         "function f() {\n  throw new Error('deep')\n}\nf()\n",
		"javascript/own.js":           "const run = 1, state = {}, logger = { info: (x) => console.log('own ' + x) }\nclass webhook {}\nconst notifications = require('./notifications.js')\nlogger.info(notifications.x)\n",
		"javascript/notifications.js": "exports.x = 'x'\n",
		"javascript/module.js":        "import { greet } from '../lib/greet.mjs'\nimport fs from 'node:fs'\nconst x = await Promise.resolve('x')\nconsole.log(greet(x), fs.existsSync(new URL('./own.js', import.meta.url)))\nthrow new Error('deep')\n",
		"typescript/args.ts":          "import { greet, here } from '../lib/greet'\nimport * as fs from 'node:fs'\nenum E { A = 'a' }\nconsole.log(greet(process.argv[2] as string)); console.log(process.argv[3]); process.stdout.write(fs.readFileSync(0))\nif (!here.endsWith('/lib/greet.ts') || E.A !== 'a') throw new Error(here)\nprocess.exitCode = await Promise.resolve(3)\n",
		"typescript/error.ts":         "interface X { a: number }\n\nfunction f(x: X): never {\n  throw new Error('deep')\n}\nf({ a: 1 })\n",
		"typescript/own.ts":           "const run = 1, state: Record<string, number> = {}\nconst logger = { info: (x: string) => console.log('own ' + x) }\nclass webhook {}\nexport {}\nlogger.info('x')\n",
		"typescript/common.cts":       "const { greet } = require('../lib/greet.cjs')\nconst x: string = 'x'\nconsole.log(greet(x), require('node:path').basename(__dirname))\n",
		"powershell/args.ps1":         "param([string]$Name, $Second)\n. \"$PSScriptRoot/../lib/greet.ps1\"\nGreet $Name\n$Second\n[Console]::In.ReadToEnd()\nbash -c 'exit 9'\nexit 3\n",
		"powershell/error.ps1":        "function f {\n  throw 'deep'\n}\nf\n",
		"powershell/own.ps1":          "$run = 1; $state = @{}; $logger = 'x'\nclass Webhook { [string] $x = 'x' }\nWrite-Output \"own $([Webhook]::new().x)\"\n",
		"csharp/args.cs":              "Console.WriteLine(\"hello \" + args[0]);\nConsole.WriteLine(args[1]);\nConsole.Write(Console.In.ReadToEnd());\nreturn 3;\n",
		"csharp/error.cs":             "void F()\n{\n    throw new InvalidOperationException(\"deep\");\n}\nF();\n",
		"csharp/own.cs":               "var state = 1;\nvar run = new Run(\"x\");\nConsole.WriteLine(\"own \" + run.Name);\nrecord Run(string Name);\nclass Webhook { }\nclass Logger { }\n",
	}
	var tasks []string
	add := func(name, file, more string) {
		tasks = append(tasks, fmt.Sprintf("kind: Task\nname: %s\nfile: %s\n%s", name, file, more))
	}
	for _, language := range runners.Languages() {
		l, _ := runners.Lookup(language)
		for _, what := range []string{"args", "error", "own"} {
			add(language+" "+what, language+"/"+what+l.Extensions()[0], "args: [\"big 'wide' world\", \"$HOME \\\"x\\\" ` * é\"]\n")
		}
	}
	add("javascript module", "javascript/module.js", "")
	files["csharp/package.cs"] = "#:package Newtonsoft.Json@13.0.4\nConsole.WriteLine(Newtonsoft.Json.JsonConvert.SerializeObject(new { x = args.Length }));\nConsole.WriteLine(System.Text.Json.JsonSerializer.Serialize(new { y = 1 }));\n"
	add("csharp package", "csharp/package.cs", "")
	add("typescript common", "typescript/common.cts", "")
	files["tasks.yaml"] = strings.Join(append(tasks, "kind: Defaults\ntimeout: 3m\n"), "---\n")
	a := newInstance(t, folder(t, files), nil).ready()

	eachLanguage(t, func(t *testing.T, language string) {
		l, _ := runners.Lookup(language)
		r := a.run(language + "-args")
		if r.State != run.Failure || r.ExitCode == nil || *r.ExitCode != 3 {
			t.Errorf("args: %s %s\n%s", r.State, r.Reason, a.logOf(r.Label))
		}
		lines := strings.TrimRight(strings.Join(logLines(t, a, r), "\n"), "\n")
		if want := "hello big 'wide' world\n$HOME \"x\" ` * é"; lines != want {
			t.Errorf("args: %q, want %q", lines, want)
		}
		r = a.run(language + "-error")
		line := map[string]string{"bash": ": line 3", "python": "\", line 2", "javascript": ":2", "typescript": ":4", "powershell": ":2", "csharp": ":line 3"}[language]
		if want := filepath.Join(language, "error"+l.Extensions()[0]) + line; r.State != run.Failure || !strings.Contains(a.logOf(r.Label), want) {
			t.Errorf("error: %s, want %s in\n%s", r.State, want, a.logOf(r.Label))
		}
		r = a.run(language + "-own")
		if r.State != run.Success || !strings.Contains(a.logOf(r.Label), "own x") {
			t.Errorf("own: %s %s\n%s", r.State, r.Reason, a.logOf(r.Label))
		}
	})
	t.Run("modules", func(t *testing.T) {
		need.Program(t, "nodejs", "node")
		r := a.run("javascript-module")
		wantLog(t, a, r.Label, "hello x true", "javascript/module.js:5")
		wantLog(t, a, a.run("typescript-common").Label, "hello x typescript")
	})
	t.Run("packages", func(t *testing.T) {
		need.Program(t, "dotnet-sdk-10.0", "dotnet")
		first := a.run("csharp-package")
		wantLog(t, a, first.Label, `{"x":0}`, `{"y":1}`)
		built := func() map[string]string {
			logs, err := filepath.Glob(filepath.Join(a.State, "work/compiled/csharp/*/build.log"))
			if err != nil || len(logs) == 0 {
				t.Fatal("nothing is built", err)
			}
			times := map[string]string{}
			for _, log := range logs {
				info, err := os.Stat(log)
				if err != nil {
					t.Fatal(err)
				}
				times[log] = info.ModTime().String()
			}
			return times
		}
		before := built()
		wantLog(t, a, a.run("csharp-package").Label, `{"x":0}`)
		if diff := cmp.Diff(before, built()); diff != "" {
			t.Errorf("it was built again:\n%s", diff)
		}
	})
}
