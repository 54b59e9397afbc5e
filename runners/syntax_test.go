package runners_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apimeld/agent/runners"
	"github.com/apimeld/agent/tests/need"
)

func TestSyntax(t *testing.T) {
	for _, tt := range []struct {
		language, program, ext, good, bad string
		want                              []string
	}{
		{"bash", "bash", ".sh", "for i in 1 2; do echo \"${i}\"; done\n[[ a =~ ^b ]] && x=(1 2) || select y in 1; do :; done", "echo a\nif true; then\n  echo b\n", []string{"2:1"}},
		{"python", "python3", ".py", "async def f():\n    return [x async for x in y]\n", "x = 1\ndef f(:\n    pass\n", []string{"2:7"}},
		{"javascript", "", ".js", "import x from 'y'\nawait x\nexport const z = 1", "const a = 1\nconst b = ;\n", []string{"2:11"}},
		{"javascript", "", ".cjs", "const x = require('y')\nmodule.exports = x", "let é = (\n", []string{"2:1"}},
		{"typescript", "", ".ts", "enum E { A }\nconst x = <T,>(y: T): T => y\ntype U = E | null\nawait 1", "let a: number = 1\nfunction f(x: {) {}\n", []string{"2:16"}},
		{"powershell", "pwsh", ".ps1", "param([switch]$Full)\nclass A { [int] $x = 1 }\nGet-Item . | % { $_ }", "$x = 1\nif ($x {\n", nil},
		{"csharp", "dotnet", ".cs", "#:package Newtonsoft.Json@13.0.4\nusing System;\nConsole.WriteLine(args.Length);\nrecord R(int X);", "Console.WriteLine(1);\nint x = ;\n", []string{"2:9"}},
	} {
		t.Run(tt.language+tt.ext, func(t *testing.T) {
			if tt.program != "" {
				need.Program(t, tt.program, tt.program)
			}
			texts := []runners.Text{{"a" + tt.ext, tt.good}, {"b" + tt.ext, tt.good}}
			faults, err := runners.Syntax(t.Context(), tt.language, "", texts)
			if err != nil || len(faults) > 0 {
				t.Errorf("good ones: %v, %v", faults, err)
			}
			faults, err = runners.Syntax(t.Context(), tt.language, "", append(texts, runners.Text{Name: "c" + tt.ext, Text: tt.bad}))
			if err != nil || len(faults) == 0 {
				t.Fatalf("bad one: %v, %v", faults, err)
			}
			var places []string
			for _, f := range faults {
				if f.Text != 2 || f.Message == "" {
					t.Errorf("%+v", f)
				}
				places = append(places, fmt.Sprintf("%d:%d", f.Line, f.Column))
			}
			if tt.want == nil {
				return
			}
			if diff := cmp.Diff(tt.want, places); diff != "" {
				t.Errorf("%+v\n%s", faults, diff)
			}
		})
	}
}

// TestImportsStayInside holds what is compiled with the agent's rights to the source.
func TestImportsStayInside(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		outside + "/secret.json": `{"x": 1}`,
		root + "/a/good.ts":      "#!/usr/bin/env node\nimport { x } from '../lib'\nimport { y } from '../more'\nimport z from './z.json'\nconsole.log(x, y, z, __filename)",
		root + "/lib.ts":         "export const x: number = 1",
		root + "/more.ts":        "export const y: string = import.meta.url",
		root + "/a/z.json":       `{"z": 1}`,
		root + "/a/bad.ts":       "import s from '" + outside + "/secret.json'\nconsole.log(s)",
		root + "/a/link.ts":      "import s from './link.json'\nconsole.log(s)",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside+"/secret.json", root+"/a/link.json"); err != nil {
		t.Fatal(err)
	}
	lang, _ := runners.Lookup("typescript")
	if _, err := lang.Find(""); err != nil {
		t.Skip(err)
	}
	for name, want := range map[string]string{"good": "", "bad": "is not inside the source", "link": "is not inside the source"} {
		_, err := runners.Prepare(runners.Script{Language: "typescript", Path: root + "/a/" + name + ".ts", Root: root}, runners.Kit{SDK: root, Cache: t.TempDir()})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReadersSeeNoSecrets holds that what reads scripts gets nothing of the agent's.
func TestReadersSeeNoSecrets(t *testing.T) {
	dir := t.TempDir()
	fake := filepath.Join(dir, "python")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\nenv >"+dir+"/env\ncat >/dev/null\necho '[]'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AGENT_SECRET_SHOP_TOKEN", "t0ken")
	if _, err := runners.Syntax(t.Context(), "python", fake, []runners.Text{{Name: "a.py", Text: "x"}}); err != nil {
		t.Fatal(err)
	}
	env, err := os.ReadFile(dir + "/env")
	if err != nil || !strings.Contains(string(env), "PATH=") || strings.Contains(string(env), "AGENT_") {
		t.Errorf("%v\n%s", err, env)
	}
}
