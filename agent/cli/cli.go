// Package cli is the command line: flags, output and exit codes.
//
// Every command is a thin reading of flags over a room that does the work;
// nothing here knows a database, a process or a schedule.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes.
const (
	exitOK     = 0
	exitBad    = 1 // the thing asked about is bad: problems found, a run failed
	exitUsage  = 2
	exitFailed = 3 // the command itself failed
)

// A Command is one call of the program.
type Command struct {
	Args    []string // without the program's name
	Environ []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
}

// Main runs the program as the operating system called it, and returns its exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := Command{
		Args:    os.Args[1:],
		Environ: os.Environ(),
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
	}
	return c.Run(ctx)
}

// Run carries the command out and returns its exit code.
func (c Command) Run(ctx context.Context) int {
	root := c.root()
	root.SetArgs(c.Args)
	root.SetIn(c.Stdin)
	root.SetOut(c.Stdout)
	root.SetErr(c.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitFailed
	if e, ok := errors.AsType[*exitError](err); ok {
		code, err = e.code, e.err
	}
	if err != nil {
		fmt.Fprintln(c.Stderr, "agent: "+err.Error())
	}
	return code
}

// An exitError ends the program with a code of its own.
type exitError struct {
	code int
	err  error // printed unless nil
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// bad is the exit of a command whose answer is no; it has been printed already.
var bad = &exitError{code: exitBad}

func usage(err error) error { return &exitError{code: exitUsage, err: err} }

func (c Command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "agent",
		Short: "Run scheduled scripts as a Git repository says, and tell Mattermost how they went",
		Long: `agent pulls a Git repository of YAML, checks it, and becomes what the newest
good commit says: it runs the scheduled scripts, keeps their history and logs,
and tells Mattermost how they went.

Every flag has an environment variable: AGENT_ and its name in capitals,
--public-url is AGENT_PUBLIC_URL. A flag wins over its variable.`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(fmt.Errorf("unknown command %q\nsee: agent --help", args[0]))
			}
			return nil
		},
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return c.fromEnvironment(cmd.Flags()) },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w\nsee: %s --help", err, cmd.CommandPath()))
	})
	root.SetVersionTemplate("agent {{.Version}}\n")
	root.AddCommand(
		c.runCommand(),
		c.validateCommand(),
		c.execCommand(),
		c.initCommand(),
		c.schemaCommand(),
		c.triggerCommand(),
		c.cancelCommand(),
		c.tasksCommand(),
		c.runsCommand(),
		c.logsCommand(),
		c.statusCommand(),
		c.syncCommand(),
		c.webhookCommand(),
		c.notifyCommand(),
		c.stateCommand(),
		c.sdkCommand(),
	)
	return root
}

// fromEnvironment sets the flags that were not given from their variables.
func (c Command) fromEnvironment(flags *pflag.FlagSet) error {
	env := map[string]string{}
	for _, kv := range c.Environ {
		if name, value, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AGENT_") {
			env[name] = value
		}
	}
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		name := envName(f.Name)
		if value, ok := env[name]; ok && !f.Changed && f.Name != "help" && f.Name != "version" {
			if err := flags.Set(f.Name, value); err != nil {
				errs = append(errs, usage(fmt.Errorf("read %s: %w", name, err)))
			}
		}
	})
	return errors.Join(errs...)
}

func envName(flag string) string {
	return "AGENT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// args wraps an argument check so that its error is one of usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage(fmt.Errorf("%w\nusage: %s", err, cmd.UseLine()))
		}
		return nil
	}
}

// version is the module's, or the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
