package worker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/apimeld/agent/agent/control"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
	"github.com/apimeld/agent/agent/secret"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/runners"
)

// prepareFolders lays out the worker's folder. What runs of a killed agent
// left there goes: their processes are ended before this agent starts any.
func (w *Worker) prepareFolders() error {
	for _, dir := range []string{w.scriptDir(), w.runDir("")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("create folder for runs: %w", err)
		}
	}
	sdk, err := runners.InstallSDK(filepath.Join(w.Dir, "sdk"))
	if err != nil {
		return fmt.Errorf("write the script SDK: %w", err)
	}
	if w.CacheDir == "" {
		w.CacheDir = filepath.Join(w.Dir, "compiled")
	}
	w.kit = runners.Kit{SDK: sdk, Cache: w.CacheDir}
	const unused = 30 * 24 * time.Hour
	if err := runners.SweepCache(w.CacheDir, unused); err != nil {
		w.Log.Warn("tidy up", "error", err)
	}
	if w.binary, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program's file: %w", err)
	}
	return nil
}

func (w *Worker) scriptDir() string         { return filepath.Join(w.Dir, "scripts") }
func (w *Worker) runDir(name string) string { return filepath.Join(w.Dir, "runs", name) }

// prepare does all that comes before an attempt's process starts.
func (w *Worker) prepare(j *job, number int) (_ *attempt, err error) {
	a := &attempt{number: number, now: w.Now, recorder: runlog.NewRecorder(runlog.RecorderConfig{Attempt: number, Limit: w.LogLimit})}
	defer func() {
		if err != nil {
			a.discard()
		}
	}()
	env, err := w.environment(j, number)
	if err != nil {
		return nil, err
	}
	private := w.runDir(fmt.Sprintf("%s-%d", j.run.ID, number))
	script := runners.Script{Language: j.task.Language, Args: j.task.Args}
	if w.Interpreter != nil {
		script.Interpreter = w.Interpreter(j.task.Language)
	}
	inside := strings.Contains(j.task.Interpreter, "/")
	var dir string
	if j.task.ScriptFile != "" || inside {
		if j.dir == "" {
			if j.dir, j.release, err = w.Files.Materialise(j.ctx, j.revision); err != nil {
				return nil, fmt.Errorf("lay out the files of revision %.12s: %w", j.revision, err)
			}
		}
		dir = j.dir
		script.Path, script.Root = filepath.Join(dir, filepath.FromSlash(j.task.ScriptFile)), dir
	}
	switch {
	case inside:
		script.Interpreter = filepath.Join(j.dir, filepath.FromSlash(j.task.Interpreter))
	case j.task.Interpreter != "":
		script.Interpreter = j.task.Interpreter
	}
	if j.task.ScriptFile == "" {
		dir = private
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, fmt.Errorf("create the run's folder: %w", err)
		}
		a.cleanup = append(a.cleanup, func() { removeAll(dir) })
		if script.Path, err = w.inline(j.task); err != nil {
			return nil, err
		}
	}
	command, err := runners.Prepare(script, w.kit)
	if err != nil {
		return nil, err
	}
	token, release := w.Control.Register(j.run.ID)
	a.cleanup = append(a.cleanup, release)
	env = append(env,
		control.EnvSocket+"="+w.Control.Path(),
		control.EnvToken+"="+token,
		control.EnvBinary+"="+w.binary,
	)
	mask := j.mask
	a.process, err = runners.New(runners.Spec{
		Command: command,
		Env:     env,
		Dir:     dir,
		Pipe:    private + ".log",
		Output: func(o runners.Output) {
			if o.Stream == runners.Progress {
				if p, ok := run.ParseProgress(mask.Mask(string(o.Line))); ok {
					j.progress.Store(&p)
				}
				return
			}
			a.recorder.Add(runlog.Line{
				Time:   o.Time,
				Stream: runlog.Stream(o.Stream),
				Level:  runlog.Level(o.Level),
				Text:   mask.Mask(string(o.Line)),
			})
		},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare process: %w", err)
	}
	a.cleanup = append(a.cleanup, a.process.Close)
	return a, nil
}

// removeAll removes a run's private folder. A script may have taken write
// permission from folders in it, which stops their removal unless we are root.
func removeAll(dir string) {
	if syscall.Rmdir(dir) == nil || os.RemoveAll(dir) == nil { // most are empty
		return
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}

// environment is the script's, and nothing of the agent's own but PATH, HOME and LANG.
func (w *Worker) environment(j *job, attempt int) ([]string, error) {
	env := append([]string(nil), w.Environ...)
	var values []string
	for _, v := range j.task.Env {
		value, err := config.Expand(v.Value, w.Secrets.Lookup)
		if err != nil {
			return nil, fmt.Errorf("set variable %s: %w", v.Name, err)
		}
		for _, name := range config.SecretNames(v.Value) {
			if secret, ok := w.Secrets.Lookup(name); ok {
				values = append(values, secret)
			}
		}
		env = append(env, v.Name+"="+value)
	}
	j.mask = secret.NewMasker(values...)
	if len(j.payload) > 0 {
		env = append(env, "TASK_PAYLOAD="+string(j.payload))
	}
	if r := j.request; r != nil {
		env = append(env, "AGENT_WEBHOOK_TRIGGERED_AT="+r.At.In(j.task.Location).Format(time.RFC3339))
		for name, values := range map[string]map[string]string{"PARAMS": r.Params, "HEADERS": r.Headers} {
			text, err := json.Marshal(values)
			if err != nil {
				return nil, fmt.Errorf("set variable AGENT_WEBHOOK_%s: %w", name, err)
			}
			env = append(env, "AGENT_WEBHOOK_"+name+"="+string(text))
		}
	}
	url := ""
	if w.RunURL != nil {
		url = w.RunURL(j.run.ID)
	}
	scheduled := j.run.Slot
	if scheduled.IsZero() {
		scheduled = j.run.Due
	}
	for _, v := range [][2]string{
		{"ID", j.run.ID},
		{"NUMBER", strconv.FormatInt(j.run.Number, 10)},
		{"TASK", j.run.TaskID},
		{"REVISION", j.revision},
		{"SCHEDULED_FOR", scheduled.In(j.task.Location).Format(time.RFC3339)},
		{"ATTEMPT", strconv.Itoa(attempt)},
		{"TRIGGER", string(j.run.Trigger)},
		{"URL", url},
	} {
		env = append(env, "AGENT_RUN_"+v[0]+"="+v[1])
	}
	return env, nil
}

// inline returns a file that holds the task's inline script. Equal scripts of
// a task share one, which is named after the task so that a stack trace says where it is.
func (w *Worker) inline(t *config.Task) (string, error) {
	sum := sha256.Sum256([]byte(t.Script))
	dir := filepath.Join(w.scriptDir(), hex.EncodeToString(sum[:8]))
	lang, ok := runners.Lookup(t.Language)
	if !ok {
		return "", fmt.Errorf("language %q is not known to this agent", t.Language)
	}
	path := filepath.Join(dir, t.ID+lang.Inline(t.Script))
	if info, err := os.Stat(path); err == nil && info.Size() == int64(len(t.Script)) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("write inline script: %w", err)
	}
	// Another run may write the same file now: both write aside and rename.
	f, err := os.CreateTemp(dir, ".*")
	if err != nil {
		return "", fmt.Errorf("write inline script: %w", err)
	}
	_, err = f.WriteString(t.Script)
	if err = errors.Join(err, f.Chmod(0o500), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("write inline script: %w", err)
	}
	return path, nil
}

// sweepScripts drops inline scripts that no task of the snapshot has.
func (w *Worker) sweepScripts(snap *config.Snapshot) error {
	wanted := map[string]bool{}
	for _, t := range snap.Tasks {
		if t.ScriptFile == "" {
			sum := sha256.Sum256([]byte(t.Script))
			wanted[hex.EncodeToString(sum[:8])] = true
		}
	}
	entries, err := os.ReadDir(w.scriptDir())
	if err != nil {
		return fmt.Errorf("list inline scripts: %w", err)
	}
	for _, e := range entries {
		if !wanted[e.Name()] && !strings.HasPrefix(e.Name(), ".") {
			if err := os.RemoveAll(filepath.Join(w.scriptDir(), e.Name())); err != nil {
				return fmt.Errorf("remove inline script: %w", err)
			}
		}
	}
	return nil
}
