package runners

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/evanw/esbuild/pkg/api"
	"mvdan.cc/sh/v3/syntax"
)

// A Text is a script to be looked at.
type Text struct {
	Name string // of its file; only the extension matters
	Text string
}

// A Fault is a syntax error.
type Fault struct {
	Text    int // which of the texts
	Line    int // from 1
	Column  int // from 1, in runes
	Message string
}

// Syntax finds the syntax errors of scripts without running them: Bash,
// JavaScript and TypeScript in this process, the others in one process of their
// interpreter for all texts. It finds nothing where that is missing; named is
// as for [Language.Find].
func Syntax(ctx context.Context, language, named string, texts []Text) ([]Fault, error) {
	l, ok := Lookup(language)
	if !ok || l.syntax == nil || len(texts) == 0 {
		return nil, nil
	}
	interpreter := ""
	if l.syntaxNeeds {
		var err error
		if interpreter, err = l.Find(named); err != nil {
			return nil, nil
		}
	}
	faults, err := l.syntax(ctx, interpreter, texts)
	if err != nil {
		return nil, fmt.Errorf("check syntax of %s: %w", language, err)
	}
	return faults, nil
}

func bashSyntax(_ context.Context, _ string, texts []Text) ([]Fault, error) {
	return inParallel(texts, func() func(Text) []Fault {
		p := syntax.NewParser(syntax.Variant(syntax.LangBash))
		var r strings.Reader
		return func(t Text) []Fault {
			r.Reset(t.Text)
			_, err := p.Parse(&r, "")
			if e, ok := errors.AsType[syntax.ParseError](err); ok {
				return []Fault{{Line: int(e.Pos.Line()), Column: int(e.Pos.Col()), Message: e.Text}}
			}
			if e, ok := errors.AsType[syntax.LangError](err); ok {
				return []Fault{{Line: int(e.Pos.Line()), Column: int(e.Pos.Col()), Message: strings.TrimPrefix(e.Error(), e.Pos.String()+": ")}}
			}
			return nil
		}
	}), nil
}

func nodeSyntax(_ context.Context, _ string, texts []Text) ([]Fault, error) {
	return inParallel(texts, func() func(Text) []Fault {
		return func(t Text) (faults []Fault) {
			r := api.Transform(t.Text, api.TransformOptions{Loader: loaderOf(t.Name), Target: nodeTarget, LogLevel: api.LogLevelSilent})
			for _, m := range r.Errors {
				f := Fault{Line: 1, Column: 1, Message: m.Text}
				if m.Location != nil {
					f.Line, f.Column = m.Location.Line, m.Location.Column+1
				}
				faults = append(faults, f)
			}
			return faults
		}
	}), nil
}

// inParallel looks at texts on all processors, equal ones once; newLook makes
// what looks, for one of them.
func inParallel(texts []Text, newLook func() func(Text) []Fault) []Fault {
	first := make(map[string]int, len(texts))
	var different []int
	for i, t := range texts {
		if _, ok := first[t.Text]; !ok {
			first[t.Text] = i
			different = append(different, i)
		}
	}
	found := make([][]Fault, len(texts))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(len(different), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			look := newLook()
			for n := next.Add(1) - 1; n < int64(len(different)); n = next.Add(1) - 1 {
				found[different[n]] = look(texts[different[n]])
			}
		})
	}
	wg.Wait()
	var faults []Fault
	for i, t := range texts {
		for _, f := range found[first[t.Text]] {
			f.Text = i
			faults = append(faults, f)
		}
	}
	return faults
}

// pythonSyntaxOf reads a list of texts and writes a list of faults.
const pythonSyntaxOf = `
import json, sys, warnings
warnings.simplefilter("ignore")
faults = []
for i, text in enumerate(json.load(sys.stdin)):
    try:
        compile(text, "script", "exec", dont_inherit=True)
    except SyntaxError as e:
        faults.append({"Text": i, "Line": e.lineno or 1, "Column": e.offset or 1, "Message": e.msg})
    except ValueError as e:
        faults.append({"Text": i, "Line": 1, "Column": 1, "Message": str(e)})
json.dump(faults, sys.stdout)
`

// readersEnviron is the environment of a program that only reads scripts: it
// needs nothing that is the agent's, such as secrets.
func readersEnviron(more ...string) []string {
	environ := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "AGENT_") })
	return append(environ, more...)
}

func pythonSyntax(ctx context.Context, interpreter string, texts []Text) ([]Fault, error) {
	cmd := exec.CommandContext(ctx, interpreter, "-I", "-c", pythonSyntaxOf)
	cmd.Env = readersEnviron()
	return askFaults(cmd, texts)
}

// powershellSyntaxOf does the same; .NET's own classes only.
const powershellSyntaxOf = `
$texts = [System.Text.Json.JsonSerializer]::Deserialize([Console]::In.ReadToEnd(), [string[]])
$faults = [System.Collections.Generic.List[object]]::new()
for ($i = 0; $i -lt $texts.Length; $i++) {
  $tokens = $null; $errors = $null
  $null = [System.Management.Automation.Language.Parser]::ParseInput($texts[$i], [ref]$tokens, [ref]$errors)
  foreach ($e in $errors) {
    $fault = [System.Collections.Generic.Dictionary[string, object]]::new()
    $fault['Text'] = $i; $fault['Line'] = $e.Extent.StartLineNumber; $fault['Column'] = $e.Extent.StartColumnNumber; $fault['Message'] = $e.Message
    $faults.Add($fault)
  }
}
[Console]::Out.Write([System.Text.Json.JsonSerializer]::Serialize($faults, [object]))
`

func powershellSyntax(ctx context.Context, interpreter string, texts []Text) ([]Fault, error) {
	cmd := exec.CommandContext(ctx, interpreter, "-NoProfile", "-NonInteractive", "-Command", powershellSyntaxOf)
	cmd.Env = readersEnviron("POWERSHELL_TELEMETRY_OPTOUT=1", "POWERSHELL_UPDATECHECK=Off")
	return askFaults(cmd, texts)
}

// askFaults gives a program the texts as JSON and reads the faults from it.
func askFaults(cmd *exec.Cmd, texts []Text) ([]Fault, error) {
	all := make([]string, len(texts))
	for i, t := range texts {
		all[i] = t.Text
	}
	in, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", cmd.Path, err, strings.TrimSpace(stderr.String()))
	}
	var faults []Fault
	if err := json.Unmarshal(out, &faults); err != nil {
		return nil, fmt.Errorf("read what %s says: %w", cmd.Path, err)
	}
	return faults, nil
}

// cscFault is a line of the compiler: FILE(LINE,COLUMN): error CODE: TEXT.
var cscFault = regexp.MustCompile(`(?m)^(?:.*[/\\])?(\d+)\.cs\((\d+),(\d+)\): error (CS\d+): (.*?)\r?$`)

// csharpSyntax lets the compiler read the scripts without a single library: it
// goes on to what they mean only if they have no syntax error, and says then
// that it knows no predefined type.
func csharpSyntax(ctx context.Context, dotnet string, texts []Text) ([]Fault, error) {
	const semantic = "CS0518"
	list := exec.CommandContext(ctx, dotnet, "--list-sdks")
	list.Env = readersEnviron()
	sdks, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list SDKs: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(sdks)), "\n")
	version, dir, ok := strings.Cut(strings.TrimSpace(lines[len(lines)-1]), " [")
	if !ok {
		return nil, nil // a runtime alone reads no scripts
	}
	csc := filepath.Join(strings.TrimSuffix(dir, "]"), version, "Roslyn", "bincore", "csc.dll")
	folder, err := os.MkdirTemp("", "agent-syntax-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	args := []string{"exec", csc, "-nologo", "-noconfig", "-nostdlib", "-langversion:preview", "-features:FileBasedProgram", "-out:" + filepath.Join(folder, "out.dll")}
	for i, t := range texts {
		path := filepath.Join(folder, strconv.Itoa(i)+".cs")
		if err := os.WriteFile(path, []byte(t.Text), 0o600); err != nil {
			return nil, err
		}
		args = append(args, path)
	}
	cmd := exec.CommandContext(ctx, dotnet, args...)
	cmd.Env = readersEnviron("DOTNET_CLI_UI_LANGUAGE=en", "DOTNET_NOLOGO=1")
	out, err := cmd.CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		return nil, err
	}
	if bytes.Contains(out, []byte(semantic)) {
		return nil, nil
	}
	var faults []Fault
	for _, m := range cscFault.FindAllStringSubmatch(string(out), -1) {
		var f Fault
		f.Text, _ = strconv.Atoi(m[1])
		f.Line, _ = strconv.Atoi(m[2])
		f.Column, _ = strconv.Atoi(m[3])
		f.Message = m[5] + " (" + m[4] + ")"
		if f.Text < len(texts) {
			faults = append(faults, f)
		}
	}
	return faults, nil
}
