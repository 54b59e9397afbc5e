package runners

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// javascript reads the SDK by way of NODE_OPTIONS, which child processes that
// run Node read, too. A file runs as Node runs it; only a module that nothing
// but its syntax tells from CommonJS is compiled, since Node 18 does not see that.
var javascript = Language{
	Name:         "javascript",
	extensions:   []string{".js", ".mjs", ".cjs"},
	interpreters: []string{"node", "nodejs"},
	install:      "nodejs",
	flag:         "node",
	syntax:       nodeSyntax,
	inline: func(text string) string {
		// An extension that says what it is: else the package.json of some
		// folder above would.
		if isModule("script.js", text) {
			return ".mjs"
		}
		return ".cjs"
	},
	command: func(s Script, interpreter string, k Kit) (Command, error) {
		path := s.Path
		var more []string
		if filepath.Ext(path) == ".js" && !saysType(path) {
			text, err := os.ReadFile(path)
			if err != nil {
				return Command{}, err
			}
			if isModule(path, string(text)) {
				if path, err = bundle(path, s.Root, k.Cache); err != nil {
					return Command{}, err
				}
				more = []string{"--enable-source-maps"}
			}
		}
		return node(s, interpreter, k, path, more), nil
	},
}

// typescript is compiled in this process, so that Node is all it needs.
var typescript = Language{
	Name:         "typescript",
	extensions:   []string{".ts", ".mts", ".cts"},
	interpreters: []string{"node", "nodejs"},
	install:      "nodejs",
	flag:         "node",
	syntax:       nodeSyntax,
	command: func(s Script, interpreter string, k Kit) (Command, error) {
		path, err := bundle(s.Path, s.Root, k.Cache)
		if err != nil {
			return Command{}, err
		}
		return node(s, interpreter, k, path, []string{"--enable-source-maps"}), nil
	},
}

func node(s Script, interpreter string, k Kit, path string, options []string) Command {
	preload := `--require "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(filepath.Join(k.SDK, "javascript", "agent.cjs")) + `"`
	return Command{
		Path:    interpreter,
		Args:    append(append(options, path), s.Args...),
		Env:     []string{"AGENT_RUN_SCRIPT=" + s.Path},
		Prepend: []Prepend{{"NODE_OPTIONS", preload, " "}},
	}
}

// saysType reports whether a package.json beside or above a file says what its
// .js files are.
func saysType(path string) bool {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(dir, "package.json"))
		if err == nil {
			var p struct{ Type string }
			_ = json.Unmarshal(text, &p) // Node says what is wrong with it
			return p.Type != ""
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}
