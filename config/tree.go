package config

import "errors"

// A Tree is the files of one revision as [Load] reads them, rooted at the
// source's path. Implementations are safe for concurrent use.
type Tree interface {
	// Walk calls yield for every file and link, in lexical order of the
	// slash-separated path, until yield returns an error. Folders and
	// files whose names begin with a dot are included: what is ignored is Load's to say.
	Walk(yield func(Entry) error) error
	// Read returns a file's content. It fails with [ErrTooLarge] beyond limit bytes.
	Read(e Entry, limit int64) ([]byte, error)
}

// ErrTooLarge is what [Tree.Read] fails with when a file exceeds the limit.
var ErrTooLarge = errors.New("file is too large")

// An Entry is one file of a [Tree].
type Entry struct {
	Path string // slash-separated, relative to the source's path
	// Hash names the content: equal hashes mean equal content. A Git blob's
	// hash in hex; empty when the tree cannot tell without reading.
	Hash string
	Size int64 // in bytes; -1 when the tree cannot tell without reading
	Kind EntryKind
	Link string // a link's target as written
}

// EntryKind is what an entry is.
type EntryKind uint8

// The kinds of entry.
const (
	File       EntryKind = iota
	Executable           // a file with its executable bit set
	Link                 // a symbolic link
	Submodule            // a Git submodule: its files are not there
)
