package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/apimeld/agent/runners"
)

// trivial scripts, and for languages that are compiled what came of them.
var trivial = map[string]string{
	"bash": "echo done", "python": "print('done')", "javascript": "console.log('done')", "typescript": "const x: string = 'done'\nconsole.log(x)",
	"powershell": "'done'", "csharp": "Console.WriteLine(\"done\");",
}

// languages is what a script costs from its process' start to its end, with
// the SDK there, and what agent exec costs, beside the bare interpreter.
func (b *bench) languages() error {
	text := ""
	for _, language := range runners.Languages() {
		text += fmt.Sprintf("kind: Task\nname: %s\nlanguage: %s\nscript: |\n  %s\n---\n", language, language, strings.ReplaceAll(trivial[language], "\n", "\n  "))
	}
	dir, err := b.folder("languages", map[string]string{"t.yaml": text})
	if err != nil {
		return err
	}
	a, err := b.agent(dir, "--state", filepath.Join(b.dir, "languages-state"))
	if err != nil {
		return err
	}
	defer a.stop()
	for _, language := range runners.Languages() {
		l, _ := runners.Lookup(language)
		interpreter, err := l.Find("")
		if err != nil {
			continue
		}
		bare, err := b.bare(language, interpreter)
		if err != nil {
			return err
		}
		var ours, tried, theirs []time.Duration
		for i := range 16 {
			r, err := a.client.Trigger(context.Background(), language, nil)
			if err != nil {
				return err
			}
			for !r.State.Final() {
				time.Sleep(2 * time.Millisecond)
				if r, err = a.client.Run(context.Background(), r.ID); err != nil {
					return err
				}
			}
			if r.State != "success" {
				return fmt.Errorf("%s: %s %s", language, r.State, r.Reason)
			}
			began := time.Now()
			if out, err := exec.Command(b.binary, "exec", language, "--path", dir).CombinedOutput(); err != nil {
				return fmt.Errorf("exec %s: %w\n%s", language, err, out)
			}
			took := time.Since(began)
			began = time.Now()
			cmd := exec.Command(bare[0], bare[1:]...)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=" + os.Getenv("LANG"), "DOTNET_ROOT=" + os.Getenv("DOTNET_ROOT")}
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("bare %s: %w\n%s", language, err, out)
			}
			if i > 0 { // the first compiles
				theirs = append(theirs, time.Since(began))
				tried = append(tried, took)
				ours = append(ours, time.Duration(r.DurationSeconds*float64(time.Second)))
			}
		}
		peer := percentile(theirs, 0.5)
		row := func(what string, took time.Duration) {
			b.add(language+", "+what+", p50", ms(took), filepath.Base(bare[0])+": "+ms(peer), fmt.Sprintf("%.2f ×", took.Seconds()/peer.Seconds()), "")
		}
		row("a run", percentile(ours, 0.5))
		row("agent exec", percentile(tried, 0.5))
	}
	return nil
}

// bare is how the script is run without the agent.
func (b *bench) bare(language, interpreter string) ([]string, error) {
	dir := filepath.Join(b.dir, "bare-"+language)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	text, ext := trivial[language], map[string]string{"bash": ".sh", "python": ".py", "javascript": ".cjs", "typescript": ".cjs", "powershell": ".ps1", "csharp": ".cs"}[language]
	if language == "typescript" {
		text = trivial["javascript"]
	}
	path := filepath.Join(dir, "script"+ext)
	if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
		return nil, err
	}
	switch language {
	case "powershell":
		return []string{interpreter, "-NoProfile", "-NonInteractive", "-File", path}, nil
	case "csharp":
		out, err := exec.Command(interpreter, "build", path, "-o", filepath.Join(dir, "out"), "-p:PublishAot=false", "--disable-build-servers").CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("build: %w\n%s", err, out)
		}
		return []string{interpreter, filepath.Join(dir, "out", "script.dll")}, nil
	}
	return []string{interpreter, path}, nil
}
