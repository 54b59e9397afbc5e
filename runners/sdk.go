package runners

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed all:sdk
var sdkFiles embed.FS

// Stubs are the files that tell an editor of what scripts find: for Python and
// for TypeScript, by name.
func Stubs() (map[string][]byte, error) {
	const dir = "sdk/stubs"
	entries, err := sdkFiles.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	stubs := map[string][]byte{}
	for _, e := range entries {
		if stubs[e.Name()], err = sdkFiles.ReadFile(dir + "/" + e.Name()); err != nil {
			return nil, err
		}
	}
	return stubs, nil
}

// InstallSDK writes the files that scripts find when they start below dir, and
// returns the folder. Its name holds what the files are, so that scripts of an
// agent before this one keep theirs.
func InstallSDK(dir string) (string, error) {
	sum := sha256.New()
	files := map[string][]byte{}
	err := fs.WalkDir(sdkFiles, "sdk", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := sdkFiles.ReadFile(path)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel("sdk", path)
		files[rel] = content
		fmt.Fprintf(sum, "%s %d\n", rel, len(content))
		sum.Write(content)
		return nil
	})
	if err != nil {
		return "", err
	}
	target := filepath.Join(dir, hex.EncodeToString(sum.Sum(nil)[:8]))
	for name, content := range files {
		path := filepath.Join(target, name)
		if old, err := os.ReadFile(path); err == nil && string(old) == string(content) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return "", err
		}
	}
	return target, nil
}
