package config

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"sync"
)

// cacheVersion changes with what a file's content is understood to mean: a
// cache of another version is of no use.
const cacheVersion = "apimeld-agent parsed files 2"

// A Cache remembers what files hold, by the hash of their content: a load
// parses only what is new. It holds nothing of files that had problems. It is
// safe for concurrent use.
type Cache struct {
	mu    sync.RWMutex
	files map[string][]document
	dirty bool // files are not what was saved or loaded last
	// What the last good load made of the documents: a task whose document and
	// defaults are as they were is taken over as it is.
	defaults *defaultsDocument
	tasks    map[*taskDocument]*Task
}

// NewCache returns an empty cache.
func NewCache() *Cache { return &Cache{files: map[string][]document{}} }

func (c *Cache) get(hash string) ([]document, bool) {
	if hash == "" {
		return nil, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	d, ok := c.files[hash]
	return d, ok
}

// built are the tasks of the last good load, if it had the same defaults. The
// map must not be changed.
func (c *Cache) built(defaults *defaultsDocument) map[*taskDocument]*Task {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.defaults != defaults {
		return nil
	}
	return c.tasks
}

// keep makes the cache hold the files of one load, and nothing else.
func (c *Cache) keep(files []*parsed, defaults *defaultsDocument, tasks map[*taskDocument]*Task) {
	kept := make(map[string][]document, len(files))
	for _, f := range files {
		if f.hash != "" {
			kept[f.hash] = f.documents
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty = c.dirty || len(kept) != len(c.files)
	for hash := range kept {
		if _, ok := c.files[hash]; !ok {
			c.dirty = true
		}
	}
	c.files, c.defaults, c.tasks = kept, defaults, tasks
}

type cacheEntry struct {
	Hash      string
	Documents []document
}

// Dirty reports whether there is something to save.
func (c *Cache) Dirty() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.dirty
}

// Save writes the cache.
func (c *Cache) Save(w io.Writer) error {
	c.mu.Lock()
	files := c.files // replaced as a whole, never changed
	c.dirty = false  // should writing fail, the next start parses anew
	c.mu.Unlock()
	b := bufio.NewWriterSize(w, 1<<20)
	e := gob.NewEncoder(b)
	err := e.Encode(cacheVersion)
	for hash, documents := range files {
		if err != nil {
			break
		}
		err = e.Encode(cacheEntry{hash, documents})
	}
	if err := errors.Join(err, b.Flush()); err != nil {
		return fmt.Errorf("write cache: %w", err)
	}
	return nil
}

// Load reads what Save wrote. What cannot be read leaves the cache empty.
func (c *Cache) Load(r io.Reader) error {
	d := gob.NewDecoder(bufio.NewReaderSize(r, 1<<20))
	var version string
	if err := d.Decode(&version); err != nil {
		return fmt.Errorf("read cache: %w", err)
	}
	if version != cacheVersion {
		return nil
	}
	files := map[string][]document{}
	for {
		var e cacheEntry
		err := d.Decode(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read cache: %w", err)
		}
		for _, d := range e.Documents {
			d.intern()
		}
		files[e.Hash] = e.Documents
	}
	c.mu.Lock()
	c.files, c.dirty = files, false
	c.mu.Unlock()
	return nil
}
