package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/apimeld/agent/agent/api"
)

//go:embed page
var files embed.FS

// An assetFile is one style, script or picture.
type assetFile struct {
	address string // with the content's checksum in it: it may be cached for ever
	kind    string
	content []byte
}

type assets struct {
	byName    map[string]assetFile // such as "task.css"
	byAddress map[string]assetFile
}

// loadAssets takes everything in page/ that is not a template.
func loadAssets() (assets, error) {
	a := assets{byName: map[string]assetFile{}, byAddress: map[string]assetFile{}}
	entries, err := fs.ReadDir(files, "page")
	if err != nil {
		return a, fmt.Errorf("read embedded pages: %w", err)
	}
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	for _, e := range entries {
		name := e.Name()
		ext := path.Ext(name)
		kind, ok := kinds[ext]
		if !ok {
			continue
		}
		content, err := fs.ReadFile(files, "page/"+name)
		if err != nil {
			return a, fmt.Errorf("read embedded pages: %w", err)
		}
		sum := sha256.Sum256(content)
		file := assetFile{
			address: "/assets/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext,
			kind:    kind,
			content: content,
		}
		a.byName[name], a.byAddress[file.address] = file, file
	}
	return a, nil
}

// has tells whether a page has a file of its own of the kind.
func (a assets) has(name string) bool { _, ok := a.byName[name]; return ok }

// address is where a file is to be had.
func (a assets) address(name string) (string, error) {
	f, ok := a.byName[name]
	if !ok {
		return "", fmt.Errorf("no asset %q", name)
	}
	return f.address, nil
}

// asset answers with a style, script or picture.
func (h *Handler) asset(w http.ResponseWriter, r *http.Request) error {
	f, ok := h.assets.byAddress[r.URL.Path]
	if !ok {
		return fmt.Errorf("%s: %w", r.URL.Path, api.ErrNoPage)
	}
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(f.content)))
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	_, _ = w.Write(f.content)
	return nil
}
