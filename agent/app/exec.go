package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/apimeld/agent/agent/control"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
	"github.com/apimeld/agent/agent/secret"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/agent/worker"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/notify/mattermost"
)

// ExecOptions say which task is run, once and here.
type ExecOptions struct {
	Snapshot     *config.Snapshot
	Task         *config.Task
	Dir          string // the folder that the snapshot was read from
	Payload      []byte
	SecretsDir   string
	Interpreters map[string]string
	Environ      []string
	// CacheDir holds compiled scripts from call to call; empty: nowhere.
	CacheDir string
	// Send delivers the notices instead of leaving it at showing them.
	Send   bool
	CAFile string
	// Line gets each line of the log as the script writes it.
	Line func(attempt int, l runlog.Line)
}

// An ExecResult is how the task did.
type ExecResult struct {
	Run     run.Run
	Notices []store.Notice // what the agent would have sent, in order
}

// Exec runs one task once, by the same worker that the agent has, on a store
// that goes away with it. Nothing is sent. When ctx ends the run is cancelled.
func Exec(ctx context.Context, o ExecOptions) (_ ExecResult, err error) {
	dir, err := os.MkdirTemp("", "agent-exec-")
	if err != nil {
		return ExecResult{}, fmt.Errorf("create folder: %w", err)
	}
	defer os.RemoveAll(dir)
	// ctx cancels the run; what is around it ends after it.
	background := context.WithoutCancel(ctx)
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(background, store.Config{Path: filepath.Join(dir, "agent.db"), Source: "exec", Fleeting: true})
	if err != nil {
		return ExecResult{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	secrets, err := secret.New(o.Environ, o.SecretsDir)
	if err != nil {
		return ExecResult{}, err
	}
	source, err := filepath.Abs(o.Dir)
	if err != nil {
		return ExecResult{}, fmt.Errorf("find folder: %w", err)
	}
	w, err := worker.New(worker.Config{
		Store:       db,
		Snapshot:    func() *config.Snapshot { return o.Snapshot },
		Files:       inPlace(source),
		Secrets:     secrets,
		Interpreter: func(language string) string { return o.Interpreters[language] },
		Dir:         filepath.Join(dir, "work"),
		CacheDir:    o.CacheDir,
		Environ:     scriptEnviron(o.Environ),
		Log:         log,
	})
	if err != nil {
		return ExecResult{}, err
	}
	if w.Control, err = control.Listen(dir, w, log); err != nil {
		return ExecResult{}, err
	}
	defer w.Control.Close(background)
	defer w.Stop(background)
	changes, stop := db.Watch()
	defer stop()
	if o.Send {
		client, err := httpClient(o.CAFile)
		if err != nil {
			return ExecResult{}, err
		}
		d := worker.NewDeliverer(worker.DelivererConfig{
			Store:    db,
			Sender:   mattermost.New(mattermost.Config{Client: client, UserAgent: "apimeld-agent"}),
			Snapshot: func() *config.Snapshot { return o.Snapshot },
			Secrets:  secrets,
			Log:      log,
		})
		delivering, end := context.WithCancel(background)
		done := make(chan struct{})
		go func() { defer close(done); d.Run(delivering) }()
		defer func() { end(); <-done }()
	}
	made, err := w.Submit(background, o.Task, run.Order{Trigger: run.Exec, Payload: o.Payload})
	if err != nil {
		return ExecResult{}, err
	}
	ended, err := follow(ctx, db, w, made.ID, changes, o.Line)
	if err != nil {
		return ExecResult{}, err
	}
	if o.Send {
		if err := sent(ctx, db); err != nil {
			return ExecResult{}, err
		}
	}
	notices, err := db.RunNotices(background, made.ID)
	return ExecResult{ended, notices}, err
}

// sendPatience is how long notices are waited for that do not arrive at once.
const sendPatience = 20 * time.Second

// sent waits until no notice waits to be delivered.
func sent(ctx context.Context, db *store.Store) error {
	limit, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	changes, stop := db.Watch()
	defer stop()
	tick := time.NewTicker(100 * time.Millisecond) // a delivery is no change that watchers are told
	defer tick.Stop()
	for {
		waiting, err := db.PendingWebhooks(context.WithoutCancel(ctx))
		if err != nil || len(waiting) == 0 {
			return err
		}
		select {
		case <-limit.Done():
			return nil
		case <-changes:
		case <-tick.C:
		}
	}
}

// follow hands on the lines of a run until it has ended.
func follow(ctx context.Context, db *store.Store, w *worker.Worker, id string, changes <-chan store.Change, line func(int, runlog.Line)) (run.Run, error) {
	background := context.WithoutCancel(ctx)
	var reader runlog.Reader
	var at store.LogPosition
	tick := time.NewTicker(time.Second) // should a change be missed
	defer tick.Stop()
	interrupted := ctx.Done()
	for {
		// The run before its log: the log of one that is over is complete.
		r, err := db.Run(background, id)
		if err != nil {
			return r, err
		}
		for {
			chunks, err := db.Log(background, id, at, 1<<20)
			if err != nil {
				return r, err
			}
			for _, c := range chunks {
				lines, err := reader.Lines(c)
				if err != nil {
					return r, err
				}
				for _, l := range lines {
					line(c.Attempt, l)
				}
				at = store.LogPosition{Attempt: c.Attempt, Seq: c.Seq}
			}
			if len(chunks) == 0 {
				break
			}
		}
		if r.State.Final() {
			return r, nil
		}
		select {
		case <-changes:
		case <-tick.C:
		case <-interrupted:
			w.Cancel(id, "you")
			interrupted = nil
		}
	}
}

// inPlace hands out a folder as it is: whoever tries a task has it before them.
type inPlace string

func (dir inPlace) Materialise(context.Context, string) (string, func(), error) {
	return string(dir), func() {}, nil
}
