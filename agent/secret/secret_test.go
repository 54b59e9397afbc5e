package secret

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLookup(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in-both"), "from the file\n")
	write(t, filepath.Join(dir, "lines"), "one\ntwo\n\n")
	write(t, filepath.Join(dir, "empty"), "")
	write(t, filepath.Join(dir, "huge"), strings.Repeat("x", maxBytes+1))
	write(t, filepath.Join(filepath.Dir(dir), "outside"), "must not be read")
	s, err := New([]string{"AGENT_SECRET_SHOP_TOKEN=t0ken", "AGENT_SECRET_IN_BOTH=from env", "AGENT_SECRET_EMPTY=", "OTHER=x"}, dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"shop-token": "t0ken",
		"in-both":    "from the file",
		"lines":      "one\ntwo\n",
		"empty":      "",
		"huge":       "",
		"other":      "",
		"../outside": "",
		".":          "",
		"":           "",
	} {
		got, ok := s.Lookup(name)
		if got != want || ok != (want != "") {
			t.Errorf("Lookup(%q) = %q, %v; want %q", name, got, ok, want)
		}
	}
	write(t, filepath.Join(dir, "in-both"), "rotated\r\n")
	if got, _ := s.Lookup("in-both"); got != "rotated" {
		t.Errorf("after rotation: %q", got)
	}
}

// TestKubernetes lays secrets out as the kubelet does, and swaps them as it does.
func TestKubernetes(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "..v1", "key"), "old")
	write(t, filepath.Join(dir, "..v2", "key"), "new")
	link := func(from, to string) {
		if err := os.Symlink(to, filepath.Join(dir, "tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "tmp"), filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	link("..data", "..v1")
	link("key", "..data/key")
	s, err := New(nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Lookup("key"); got != "old" {
		t.Fatalf("got %q", got)
	}
	link("..data", "..v2")
	if got, _ := s.Lookup("key"); got != "new" {
		t.Errorf("after the swap: %q", got)
	}
}

func TestNewRefusesMissingFolder(t *testing.T) {
	if _, err := New(nil, filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "--secrets-dir") {
		t.Errorf("err = %v", err)
	}
}

func TestMask(t *testing.T) {
	const key = "s3cr3t/with+odd=chars"
	m := NewMasker(key, "s3cr3t/with+odd=chars-and-more", "line one is long\nshort\nab", "abc", "")
	for _, tt := range []struct{ in, want string }{
		{"token " + key + "!", "token ***!"},
		{key + "-and-more", "***"},
		{base64.StdEncoding.EncodeToString([]byte(key)), "***"},
		{"?q=s3cr3t%2Fwith%2Bodd%3Dchars&x", "?q=***&x"},
		{"line one is long", "***"},
		{"short", "***"},
		{"abc ab", "abc ab"},
		{"nothing here", "nothing here"},
	} {
		if got := m.Mask(tt.in); got != tt.want {
			t.Errorf("Mask(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	if got := (*Masker)(nil).Mask("x"); got != "x" {
		t.Errorf("nil masks %q", got)
	}
}

func FuzzMask(f *testing.F) {
	f.Add("token", "a token in text")
	f.Add("two\nlines", "lines")
	f.Fuzz(func(t *testing.T, value, text string) {
		value = strings.TrimSpace(value)
		// A value that overlaps the mask itself can be made anew by masking.
		if len(value) < minMasked || strings.Contains(value, "*") || strings.Contains(text, "*") {
			t.Skip()
		}
		if got := NewMasker(value).Mask(text + value + text); strings.Contains(got, value) {
			t.Errorf("Mask left %q in %q", value, got)
		}
	})
}
