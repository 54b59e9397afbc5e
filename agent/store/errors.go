package store

import (
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/apimeld/agent/agent/run"
)

// The errors that callers tell apart.
var (
	ErrNotLeased = errors.New("run is not leased to this agent")
	ErrFinal     = errors.New("run has ended already")
	ErrNotFound  = errors.New("not found")
	ErrAmbiguous = errors.New("several runs begin like this")
	// ErrFull means that nothing was stored because there is no room; it may work later.
	ErrFull = errors.New("the disk is full")
)

// A PrunedError is what is left of a run that retention did not keep.
type PrunedError struct {
	RunID  string
	TaskID string
	Number int64
	State  run.State
	Ended  time.Time
}

func (e *PrunedError) Error() string {
	return fmt.Sprintf("%s#%d is no longer kept", e.TaskID, e.Number)
}

// explain gives a database's error words that say what to do. Anything else
// stays as it is.
func explain(path string, err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch code := e.Code(); code & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("write database %s: %w\nmake room: nothing is lost, it is tried again", path, ErrFull)
	case sqlite3.SQLITE_IOERR:
		// Where the write-ahead log's shared memory cannot grow, this is a full disk too.
		if code == sqlite3.SQLITE_IOERR_WRITE || code == sqlite3.SQLITE_IOERR_SHMSIZE || code == sqlite3.SQLITE_IOERR_SHMMAP {
			return fmt.Errorf("write database %s: %w: %w\nlook at the disk: is it full, or failing?", path, ErrFull, err)
		}
		return fmt.Errorf("use database %s: %w\nlook at the disk, and at the system's log", path, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH:
		return fmt.Errorf("open database %s: this user may not write it: %w\ngive it the file and its folder, or name another file with --database", path, err)
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("open database %s: the file is not a database\nname another file with --database, or move this one away", path)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("read database %s: the file is damaged\nput a backup in its place, or move it away to begin anew", path)
	}
	return err
}
