// Package secret is where secrets come from, and how they are kept out of what people read.
//
// Secrets are the operator's business: the configuration only names them. This
// package looks them up, at the moment they are needed, and masks their values
// in text. It never logs, stores or caches a value.
package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// EnvPrefix begins the environment variables that hold secrets:
// AGENT_SECRET_SHOP_TOKEN is the secret shop-token.
const EnvPrefix = "AGENT_SECRET_"

// maxBytes bounds a secret's file. The kernel takes at most 128 KiB for one
// variable of a process's environment (MAX_ARG_STRLEN), which is where secrets go.
const maxBytes = 128 << 10

// Sources looks secrets up. The zero value knows none.
type Sources struct {
	env map[string]string
	dir string
}

// New returns the secrets of an environment (as of [os.Environ]) and of a
// folder with one file a secret, named as the secret; either may be empty. A
// file wins over a variable. Files are read at each lookup, so a rotated
// secret counts from then on.
func New(environ []string, dir string) (*Sources, error) {
	s := &Sources{env: map[string]string{}, dir: dir}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if rest, ok := strings.CutPrefix(name, EnvPrefix); ok {
			s.env[strings.ReplaceAll(strings.ToLower(rest), "_", "-")] = value
		}
	}
	if dir != "" {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = errors.New("not a folder")
		}
		if err != nil {
			return nil, fmt.Errorf("open secrets folder %s: %w\nname a folder that holds one file a secret, or leave --secrets-dir out", dir, err)
		}
	}
	return s, nil
}

// Lookup returns a secret's value, without one line end at its end, and
// whether there is one. An empty value is none.
func (s *Sources) Lookup(name string) (string, bool) {
	if s == nil {
		return "", false
	}
	if value, err := s.read(name); err == nil && value != "" {
		return value, true
	}
	value := s.env[name]
	return value, value != ""
}

// Has reports whether there is a secret of this name.
func (s *Sources) Has(name string) bool {
	_, ok := s.Lookup(name)
	return ok
}

// EnvName is the environment variable that would hold the secret.
func EnvName(name string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// read reads a secret's file. Kubernetes makes such a file a link to ..data/NAME, and swaps
// ..data when the secret changes, so the name is resolved anew each time.
func (s *Sources) read(name string) (string, error) {
	if s.dir == "" || name == "" || strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") {
		return "", fs.ErrNotExist
	}
	path := filepath.Join(s.dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxBytes {
		return "", fs.ErrInvalid
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}
