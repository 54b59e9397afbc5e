package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/client"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/notify"
)

// A remote is what the commands that speak to a running agent share.
type remote struct {
	Command
	server, passwordFile, caFile string
	json                         bool
}

// flags adds what says which agent is spoken to.
func (r *remote) flags(cmd *cobra.Command) *cobra.Command {
	f := cmd.Flags()
	f.StringVar(&r.server, "server", client.DefaultServer, "URL of the agent")
	f.StringVar(&r.passwordFile, "password-file", "", "file with the agent's password")
	f.StringVar(&r.caFile, "ca-file", "", "PEM certificates to trust beside the system's")
	f.BoolVar(&r.json, "json", false, "print JSON")
	return cmd
}

func (r *remote) client() (*client.Client, error) {
	c := client.Config{Server: r.server, CAFile: r.caFile, UserAgent: "apimeld-agent/" + version()}
	if r.passwordFile != "" {
		text, err := os.ReadFile(r.passwordFile)
		if err != nil {
			return nil, fmt.Errorf("read password: %w\nname a file that holds it with --password-file", err)
		}
		c.Password = strings.TrimSpace(string(text))
	}
	return client.New(c)
}

// print writes a document as JSON, or as text where that is wanted.
func (r *remote) print(document any, text func(w io.Writer)) error {
	if r.json {
		e := json.NewEncoder(r.Stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(document); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
		return nil
	}
	w := tabwriter.NewWriter(r.Stdout, 0, 8, 2, ' ', 0)
	text(w)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

func (c Command) triggerCommand() *cobra.Command {
	r := &remote{Command: c}
	var payload string
	var wait bool
	cmd := &cobra.Command{
		Use:   "trigger TASK",
		Short: "Run a task now",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := r.client()
			if err != nil {
				return err
			}
			var data []byte
			switch payload {
			case "":
			case "-":
				data, err = io.ReadAll(r.Stdin)
			default:
				data, err = os.ReadFile(payload)
			}
			if err != nil {
				return fmt.Errorf("read payload: %w", err)
			}
			made, err := api.Trigger(cmd.Context(), args[0], data)
			if err != nil {
				return refused(err)
			}
			if wait {
				if made, err = api.FollowLog(cmd.Context(), made.ID, position{}, r.line(false)); err != nil {
					return refused(err)
				}
			}
			if err := r.print(made, func(w io.Writer) {
				fmt.Fprintf(w, "%s\t%s\t%s\n", made.Label, made.State, made.URL)
				if made.Reason != "" {
					fmt.Fprintf(w, "%s\n", visible(made.Reason))
				}
			}); err != nil {
				return err
			}
			if wait && made.State != run.Success {
				return bad
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&payload, "payload", "", "file that the script gets in TASK_PAYLOAD; - is standard input")
	cmd.Flags().BoolVar(&wait, "wait", false, "print the log until the run has ended; exit code 1 unless it succeeds")
	return r.flags(cmd)
}

type position = api.Position

// refused gives the agent's no the exit code of an answer, and everything
// else that of a command that failed.
func refused(err error) error {
	for _, no := range []error{api.ErrUnknownTask, api.ErrUnknownRun, api.ErrUnknownWebhook, api.ErrDisabled, api.ErrNotRunning, api.ErrAmbiguous, api.ErrPruned} {
		if errors.Is(err, no) {
			return &exitError{code: exitBad, err: err}
		}
	}
	return err
}

func (c Command) cancelCommand() *cobra.Command {
	r := &remote{Command: c}
	return r.flags(&cobra.Command{
		Use:   "cancel RUN",
		Short: "End a run: an id, a unique beginning of one, or TASK#NUMBER",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			made, err := c.Cancel(cmd.Context(), args[0])
			if err != nil {
				return refused(err)
			}
			return r.print(made, func(w io.Writer) { fmt.Fprintf(w, "%s is being cancelled\n", made.Label) })
		},
	})
}

func (c Command) tasksCommand() *cobra.Command {
	r := &remote{Command: c}
	return r.flags(&cobra.Command{
		Use:   "tasks",
		Short: "List tasks with their last and next run",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			all := []api.Task{}
			for q := (client.TaskQuery{}); ; {
				page, err := c.Tasks(cmd.Context(), q)
				if err != nil {
					return err
				}
				all = append(all, page.Items...)
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			return r.print(all, func(w io.Writer) {
				fmt.Fprintln(w, "TASK\tLAST\tWHEN\tNEXT\tNAME")
				for _, t := range all {
					last, when, next := "-", "-", "-"
					if t.LastRun != nil {
						last, when = string(t.LastRun.State), shortTime(firstTime(t.LastRun.Started, t.LastRun.Due))
					}
					switch {
					case !t.Enabled:
						next = "disabled"
					case !t.Next.IsZero():
						next = shortTime(t.Next.Time)
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.ID, last, when, next, visible(t.Name))
				}
			})
		},
	})
}

func firstTime(times ...api.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t.Time
		}
	}
	return time.Time{}
}

func shortTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func (c Command) runsCommand() *cobra.Command {
	r := &remote{Command: c}
	var limit int
	var states []string
	cmd := &cobra.Command{
		Use:   "runs [TASK]",
		Short: "List runs, newest first; with --json also attempts, notices and their deliveries",
		Args:  args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			q := client.RunQuery{States: states, Attempts: r.json, Notices: r.json}
			if len(args) == 1 {
				q.Task = args[0]
			}
			all := []api.Run{}
			for len(all) < limit {
				q.Limit = min(limit-len(all), 100)
				page, err := c.Runs(cmd.Context(), q)
				if err != nil {
					return refused(err)
				}
				all = append(all, page.Items...)
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			return r.print(all, func(w io.Writer) {
				fmt.Fprintln(w, "RUN\tSTATE\tSTARTED\tDURATION\tTRIGGER\tID")
				for _, one := range all {
					duration := "-"
					if !one.Started.IsZero() {
						duration = notify.Duration(time.Duration(one.DurationSeconds * float64(time.Second)))
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", one.Label, stateOf(one), shortTime(one.Started.Time), duration, one.Trigger, one.ID)
				}
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "how many runs at most")
	cmd.Flags().StringSliceVar(&states, "state", nil, "only runs in these states, such as failure,timeout")
	return r.flags(cmd)
}

// stateOf is a run's state, with a bar while it says how far it is.
func stateOf(r api.Run) string {
	p := r.Progress
	if p == nil || r.State != run.Running {
		return string(r.State)
	}
	if p.Percent() < 0 {
		return fmt.Sprintf("%s %s", r.State, p.Count())
	}
	const width = 10
	done := p.Percent() * width / 100
	return fmt.Sprintf("%s %s%s %d%%", r.State, strings.Repeat("█", done), strings.Repeat("░", width-done), p.Percent())
}

func (c Command) statusCommand() *cobra.Command {
	r := &remote{Command: c}
	return r.flags(&cobra.Command{
		Use:   "status",
		Short: "Say how the agent is doing; exit code 1 when something needs a person",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			s, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			err = r.print(s, func(w io.Writer) {
				fmt.Fprintf(w, "source\t%s\n", s.Source)
				live := "none is live yet"
				if s.Revision != "" {
					live = shortRevision(s.Revision) + ", live since " + shortTime(s.RevisionLive.Time)
				}
				fmt.Fprintf(w, "revision\t%s\n", live)
				if s.Problems > 0 {
					fmt.Fprintf(w, "rejected\t%s has %s: see `agent validate`, or the page of revisions\n", shortRevision(s.Head), count(s.Problems, "problem"))
				}
				fmt.Fprintf(w, "synced\t%s\n", shortTime(s.Synced.Time))
				if s.SyncError != "" {
					fmt.Fprintf(w, "sync error\t%s\n", strings.ReplaceAll(visibleLines(s.SyncError), "\n", "\n\t"))
				}
				fmt.Fprintf(w, "tasks\t%d\nrunning\t%d of %d\nwaiting\t%d\nversion\t%s\n", s.Tasks, s.Running, s.MaxRuns, s.Queued, s.Version)
			})
			if err == nil && (!s.Ready || s.Problems > 0 || s.SyncError != "") {
				return bad
			}
			return err
		},
	})
}

// visibleLines is visible for text of several lines.
func visibleLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = visible(l)
	}
	return strings.Join(lines, "\n")
}

func (c Command) syncCommand() *cobra.Command {
	r := &remote{Command: c}
	return r.flags(&cobra.Command{
		Use:   "sync",
		Short: "Look at the source now; exit code 1 when its newest revision is rejected",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			s, err := c.Sync(cmd.Context())
			if err != nil {
				return err
			}
			err = r.print(s, func(w io.Writer) {
				switch s.State {
				case api.SyncLive:
					fmt.Fprintf(w, "%s is live\n", shortRevision(s.Revision))
				case api.SyncUnchanged:
					fmt.Fprintf(w, "%s is live already\n", shortRevision(s.Revision))
				default:
					fmt.Fprintf(w, "%s is rejected, the last good revision goes on\n", shortRevision(s.Revision))
				}
			})
			if err == nil && !r.json {
				look, lookErr := r.style("auto")
				if lookErr != nil {
					return lookErr
				}
				err = writeProblems(r.Stdout, look, s.Problems)
			}
			if err == nil && s.State == api.SyncRejected {
				return bad
			}
			return err
		},
	})
}

func (c Command) webhookCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Look after webhooks",
		Args:  args(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	r := &remote{Command: c}
	cmd.AddCommand(r.flags(&cobra.Command{
		Use:   "test NAME",
		Short: "Send the test message to a webhook; exit code 1 when it does not arrive",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			result, err := c.TestWebhook(cmd.Context(), args[0])
			if err != nil {
				return refused(err)
			}
			err = r.print(result, func(w io.Writer) {
				if result.Delivered {
					fmt.Fprintf(w, "delivered to %s\n", visible(result.Webhook))
				} else {
					fmt.Fprintf(w, "not delivered to %s: %s\n", visible(result.Webhook), visible(result.Detail))
				}
			})
			if err == nil && !result.Delivered {
				return bad
			}
			return err
		},
	}))
	return cmd
}
