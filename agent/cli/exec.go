package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/app"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/notify"
	"github.com/apimeld/agent/schema"
)

func (c Command) execCommand() *cobra.Command {
	o := app.ExecOptions{Environ: c.Environ}
	var dir, payload, color string
	var env []string
	var interpreters func() map[string]string
	cmd := &cobra.Command{
		Use:   "exec TASK",
		Short: "Run one task of a folder here and now, as the agent would",
		Long: `Run one task of a folder here and now: its log comes as the script writes it, and
the notices that it would send are printed instead of sent. TASK is an id or a
name. Exit code 1 when the task fails.`,
		Example: "  agent exec nightly-order-sync --path ~/ops-tasks",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			look, err := c.style(color)
			if err != nil {
				return err
			}
			snap, problems, err := c.load(cmd, dir, loadOptions{secretsDir: o.SecretsDir})
			if err != nil {
				return err
			}
			if snap == nil {
				if err := writeProblems(c.Stderr, style{}, problems); err != nil {
					return err
				}
				return bad
			}
			task, err := findTask(snap, args[0])
			if err != nil {
				return &exitError{exitBad, err}
			}
			switch payload {
			case "":
			case "-":
				o.Payload, err = io.ReadAll(c.Stdin)
			default:
				o.Payload, err = os.ReadFile(payload)
			}
			if err != nil {
				return fmt.Errorf("read payload: %w", err)
			}
			if task, err = withEnv(task, env); err != nil {
				return usage(err)
			}
			if cache, err := os.UserCacheDir(); err == nil {
				o.CacheDir = filepath.Join(cache, "apimeld-agent", "compiled")
			}
			o.Snapshot, o.Task, o.Dir = snap, task, dir
			o.Interpreters = interpreters()
			o.Line = func(attempt int, l runlog.Line) {
				fmt.Fprintln(c.Stdout, look.line(api.FromLine(attempt, l), false))
			}
			result, err := app.Exec(cmd.Context(), o)
			if err != nil {
				return err
			}
			for _, n := range result.Notices {
				fmt.Fprintf(c.Stdout, "\n%s\n%s\n", look.bold(whatBecame(n, o.Send)+" "+n.Webhook+":"), n.Text)
			}
			summary := fmt.Sprintf("%s after %s", result.Run.State, notify.Duration(result.Run.Duration(time.Now())))
			if result.Run.Reason != "" {
				summary += ": " + result.Run.Reason
			}
			fmt.Fprintf(c.Stderr, "\n%s %s\n", task.ID, summary)
			if result.Run.State != run.Success {
				return bad
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "path", ".", "folder with the configuration")
	f.StringVar(&payload, "payload", "", "file that the script gets as its payload; - is standard input")
	f.StringArrayVar(&env, "env", nil, "NAME=VALUE for the script, beside and over what the task says; may be repeated")
	f.BoolVar(&o.Send, "send", false, "send the notices, too")
	f.StringVar(&o.CAFile, "ca-file", "", "PEM certificates to trust beside the system's, for --send")
	f.StringVar(&o.SecretsDir, "secrets-dir", "", "folder with one file a secret, beside AGENT_SECRET_… variables")
	interpreters = interpreterFlags(f)
	f.StringVar(&color, "color", "auto", "auto, always or never")
	return cmd
}

// withEnv is a task with more variables, or others.
func withEnv(t *config.Task, env []string) (*config.Task, error) {
	if len(env) == 0 {
		return t, nil
	}
	changed := *t
	changed.Env = slices.Clone(t.Env)
	for _, kv := range env {
		name, value, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("read --env %q: it must be NAME=VALUE", kv)
		}
		changed.Env = slices.DeleteFunc(changed.Env, func(v config.EnvVar) bool { return v.Name == name })
		changed.Env = append(changed.Env, config.EnvVar{Name: name, Value: value})
	}
	return &changed, nil
}

// whatBecame says whether a notice was sent.
func whatBecame(n store.Notice, send bool) string {
	switch {
	case !send:
		return "to"
	case n.State == store.Delivered:
		return "sent to"
	}
	reason := "no answer yet"
	if len(n.Delivery) > 0 {
		reason = n.Delivery[len(n.Delivery)-1].Detail
	}
	return "not sent (" + reason + ") to"
}

// findTask finds a task by its id or its name.
func findTask(snap *config.Snapshot, name string) (*config.Task, error) {
	if t := snap.Task(name); t != nil {
		return t, nil
	}
	var ids []string
	for _, t := range snap.Tasks {
		if strings.EqualFold(t.Name, name) {
			return t, nil
		}
		ids = append(ids, t.ID)
	}
	hint := "there are: " + strings.Join(ids, ", ")
	if near := schema.Nearest(name, ids); near != "" {
		hint = "did you mean " + near + "?"
	}
	return nil, fmt.Errorf("unknown task %q\n%s", name, hint)
}
