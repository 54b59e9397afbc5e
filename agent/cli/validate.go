package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/apimeld/agent/agent/secret"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/runners"
	"github.com/apimeld/agent/schema"
)

func (c Command) validateCommand() *cobra.Command {
	var format, color, secretsDir string
	var parallel int
	var interpreters func() map[string]string
	var noScripts bool
	cmd := &cobra.Command{
		Use:   "validate [PATH]",
		Short: "Check a folder's configuration; needs no network and no database",
		Long: `Check the configuration in PATH, or in the working folder. All problems of all
files come in one go. Exit code 1 when there is an error; a secret that this
machine does not know is a warning.`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if format != "text" && format != "json" {
				return usage(fmt.Errorf("read --format %q: it must be text or json", format))
			}
			style, err := c.style(color)
			if err != nil {
				return err
			}
			// A short-lived process: collect late, but stay small.
			debug.SetGCPercent(400)
			debug.SetMemoryLimit(43 << 20)
			snap, problems, err := c.load(cmd, dir, loadOptions{secretsDir, interpreters(), parallel, !noScripts})
			if err != nil {
				return err
			}
			if format == "json" {
				err = writeProblemsJSON(c.Stdout, snap, problems)
			} else {
				err = writeProblems(c.Stdout, style, problems)
				if err == nil && !schema.HasErrors(problems) {
					_, err = fmt.Fprintf(c.Stdout, "%s, %s: no errors\n", count(len(snap.Tasks), "task"), count(len(snap.Webhooks), "webhook"))
				}
			}
			if err != nil {
				return fmt.Errorf("write problems: %w", err)
			}
			if schema.HasErrors(problems) {
				return bad
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", "text", "text or json")
	f.StringVar(&color, "color", "auto", "auto, always or never")
	f.StringVar(&secretsDir, "secrets-dir", "", "folder with one file a secret, beside AGENT_SECRET_… variables")
	interpreters = interpreterFlags(f)
	f.BoolVar(&noScripts, "no-scripts", false, "do not look for syntax errors in scripts")
	f.IntVar(&parallel, "parallel", 0, "how many files are read at once (default: as many as there are processors)")
	return cmd
}

// loadOptions say how closely a folder is looked at.
type loadOptions struct {
	secretsDir   string
	interpreters map[string]string
	parallel     int  // 0: as many as there are processors
	scripts      bool // whose syntax is looked at
}

func (o loadOptions) syntax() func(context.Context, string, string, []runners.Text) ([]runners.Fault, error) {
	if !o.scripts {
		return nil
	}
	return func(ctx context.Context, language, interpreter string, texts []runners.Text) ([]runners.Fault, error) {
		return runners.Syntax(ctx, language, cmp.Or(interpreter, o.interpreters[language]), texts)
	}
}

// load loads a folder as validate and exec see it: secrets that are not known
// here are warnings.
func (c Command) load(cmd *cobra.Command, dir string, o loadOptions) (*config.Snapshot, []schema.Problem, error) {
	tree, err := config.DirTree(dir)
	if err != nil {
		return nil, nil, err
	}
	secrets, err := secret.New(c.Environ, o.secretsDir)
	if err != nil {
		return nil, nil, err
	}
	return config.Load(cmd.Context(), tree, config.Options{
		Revision:       "working tree",
		Secrets:        secrets.Has,
		SecretSeverity: schema.Warning,
		Interpreter:    findInterpreter(o.interpreters),
		Syntax:         o.syntax(),
		Parallel:       o.parallel,
	})
}

func writeProblemsJSON(w io.Writer, snap *config.Snapshot, problems []schema.Problem) error {
	report := struct {
		Valid    bool             `json:"valid"`
		Tasks    int              `json:"tasks"`
		Webhooks int              `json:"webhooks"`
		Problems []schema.Problem `json:"problems"`
	}{Valid: !schema.HasErrors(problems), Problems: problems}
	if problems == nil {
		report.Problems = []schema.Problem{}
	}
	if snap != nil {
		report.Tasks, report.Webhooks = len(snap.Tasks), len(snap.Webhooks)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return errors.Join(e.Encode(report))
}
