package runners

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/evanw/esbuild/pkg/api"
)

// nodeTarget is what the oldest Node that is supported, 18, understands.
const nodeTarget = api.ES2022

// bundle compiles a script and the files that it imports into one, which Node
// runs with the source map that stands beside it. Its name is its content's
// hash, so that two runs never write the same file differently.
//
// Node alone could strip types, but only newer ones, and not in every syntax;
// a loader in Node would be one more thing to install.
func bundle(path, root, cache string) (string, error) {
	if root == "" {
		root = filepath.Dir(path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read script: %w", err)
	}
	format, ext := api.FormatCommonJS, ".cjs"
	if isModule(path, string(text)) {
		format, ext = api.FormatESModule, ".mjs"
	}
	dir := filepath.Join(cache, "node")
	r := api.Build(api.BuildOptions{
		EntryPoints:   []string{path},
		Bundle:        true,
		Platform:      api.PlatformNode,
		Target:        nodeTarget,
		Format:        format,
		Sourcemap:     api.SourceMapLinked,
		KeepNames:     true,
		Write:         false,
		AbsWorkingDir: filepath.Dir(path),
		Outfile:       filepath.Join(dir, "script"+ext),
		Define:        places,
		Plugins:       []api.Plugin{inside(root), placesOf},
		LogLevel:      api.LogLevelSilent,
	})
	if len(r.Errors) > 0 {
		return "", messages("compile script", r.Errors)
	}
	var code, sources []byte
	for _, f := range r.OutputFiles {
		if strings.HasSuffix(f.Path, ".map") {
			sources = f.Contents
		} else {
			code = f.Contents
		}
	}
	sum := sha256.New()
	sum.Write(code)
	sum.Write(sources)
	name := hex.EncodeToString(sum.Sum(nil)[:12]) + ext
	out := filepath.Join(dir, name)
	if now := time.Now(); os.Chtimes(out, now, now) == nil {
		_ = os.Chtimes(out+".map", now, now)
		return out, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("write compiled script: %w", err)
	}
	code = []byte(strings.Replace(string(code), "sourceMappingURL=script"+ext+".map", "sourceMappingURL="+name+".map", 1))
	if err := errors.Join(writeAside(out+".map", sources), writeAside(out, code)); err != nil {
		return "", fmt.Errorf("write compiled script: %w", err)
	}
	return out, nil
}

// SweepCache drops compiled scripts that have not been used for as long as unused says.
func SweepCache(cache string, unused time.Duration) error {
	var errs []error
	for _, kind := range []string{"node", "csharp"} {
		dir := filepath.Join(cache, kind)
		entries, err := os.ReadDir(dir)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		errs = append(errs, err)
		for _, e := range entries {
			if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > unused {
				errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sweep compiled scripts: %w", err)
	}
	return nil
}

// writeAside writes a file that is there as a whole or not at all.
func writeAside(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// isModule reports whether a script is an ECMAScript module, by its extension,
// or else by its syntax: import, export or a top-level await.
func isModule(path, text string) bool {
	switch filepath.Ext(path) {
	case ".mjs", ".mts":
		return true
	case ".cjs", ".cts":
		return false
	}
	if strings.Contains(text, "import.meta") {
		return true
	}
	r := api.Build(api.BuildOptions{
		Stdin:    &api.StdinOptions{Contents: text, Loader: loaderOf(path), Sourcefile: "script"},
		Metafile: true,
		Write:    false,
		LogLevel: api.LogLevelSilent,
	})
	var meta struct {
		Inputs map[string]struct{ Format string }
	}
	if json.Unmarshal([]byte(r.Metafile), &meta) != nil {
		return false
	}
	return meta.Inputs["script"].Format == "esm"
}

func loaderOf(path string) api.Loader {
	switch filepath.Ext(path) {
	case ".ts", ".mts", ".cts":
		return api.LoaderTS
	case ".tsx":
		return api.LoaderTSX
	case ".jsx":
		return api.LoaderJSX
	}
	return api.LoaderJS
}

// places are what a file asks where it is; in a bundle each file gets variables
// of its own for the answers.
var places = map[string]string{
	"import.meta.url":      "__agent_url",
	"import.meta.filename": "__agent_file",
	"import.meta.dirname":  "__agent_dir",
	"__filename":           "__agent_file",
	"__dirname":            "__agent_dir",
}

// inside keeps imports inside a folder: what is compiled here is read with the
// agent's rights, not with the script's.
func inside(root string) api.Plugin {
	return api.Plugin{Name: "inside", Setup: func(b api.PluginBuild) {
		// Files are loaded side by side: nothing is shared between the calls.
		b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: "file"}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			base, err1 := filepath.EvalSymlinks(root)
			path, err2 := filepath.EvalSymlinks(a.Path)
			rel, err3 := filepath.Rel(base, path)
			if errors.Join(err1, err2, err3) != nil || !filepath.IsLocal(rel) {
				return api.OnLoadResult{}, fmt.Errorf("%q is not inside the source", a.Path)
			}
			return api.OnLoadResult{}, nil
		})
	}}
}

// placesOf declares the variables of places in each file that uses them, on
// its first line, so that lines keep their numbers.
var placesOf = api.Plugin{Name: "places", Setup: func(b api.PluginBuild) {
	b.OnLoad(api.OnLoadOptions{Filter: `\.[cm]?[jt]sx?$`, Namespace: "file"}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
		content, err := os.ReadFile(a.Path)
		if err != nil {
			return api.OnLoadResult{}, err
		}
		text := string(content)
		loader := loaderOf(a.Path)
		uses := false
		for place := range places {
			uses = uses || strings.Contains(text, place)
		}
		if uses {
			file, _ := json.Marshal(a.Path)
			dir, _ := json.Marshal(filepath.Dir(a.Path))
			address, _ := json.Marshal((&url.URL{Scheme: "file", Path: a.Path}).String())
			if strings.HasPrefix(text, "#!") { // good on a first line only
				text = text[strings.IndexByte(text+"\n", '\n'):]
			}
			text = fmt.Sprintf("var __agent_url=%s,__agent_file=%s,__agent_dir=%s;", address, file, dir) + text
		}
		return api.OnLoadResult{Contents: &text, Loader: loader}, nil
	})
}}

// messages makes one error of the compiler's, each with its place.
func messages(what string, all []api.Message) error {
	var lines []string
	for _, m := range all {
		line := m.Text
		if l := m.Location; l != nil {
			line = fmt.Sprintf("%s:%d:%d: %s", l.File, l.Line, l.Column+1, m.Text)
		}
		lines = append(lines, line)
	}
	return fmt.Errorf("%s: %s", what, strings.Join(lines, "\n"))
}
