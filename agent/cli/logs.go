package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
)

func (c Command) logsCommand() *cobra.Command {
	r := &remote{Command: c}
	var follow, timestamps bool
	cmd := &cobra.Command{
		Use:   "logs RUN",
		Short: "Print a run's log: an id, a unique beginning of one, or TASK#NUMBER",
		Long: `Print a run's log. With -f it goes on until the run has ended, and the exit code
is 1 unless the run succeeds. With --json each line is an object.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			if !follow {
				return refused(c.Log(cmd.Context(), args[0], api.Position{}, r.line(timestamps)))
			}
			ended, err := c.FollowLog(cmd.Context(), args[0], api.Position{}, r.line(timestamps))
			if err != nil {
				return refused(err)
			}
			if ended.State != run.Success {
				return bad
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the run has ended")
	cmd.Flags().BoolVarP(&timestamps, "timestamps", "t", false, "begin each line with its time")
	return r.flags(cmd)
}

// line prints one line of a log.
func (r *remote) line(timestamps bool) func(api.Line) error {
	if r.json {
		e := json.NewEncoder(r.Stdout)
		e.SetEscapeHTML(false)
		return func(l api.Line) error { return e.Encode(l) }
	}
	look, _ := r.style("auto") // "auto" is always right
	return func(l api.Line) error {
		_, err := fmt.Fprintln(r.Stdout, look.line(l, timestamps))
		return err
	}
}

// line is a line of a log as a terminal shows it. A script's own colours stay.
func (s style) line(l api.Line, timestamps bool) string {
	text := l.Text
	switch {
	case l.Stream == runlog.Agent:
		text = s.yellow("[agent] ") + text
	case l.Level == runlog.Error:
		text = s.red("error: ") + text
	case l.Level == runlog.Warning:
		text = s.yellow("warning: ") + text
	case l.Level != "":
		text = s.faint(string(l.Level)+": ") + text
	}
	if timestamps {
		text = s.faint(l.Time.Local().Format("2006-01-02T15:04:05.000Z07:00")) + " " + text
	}
	return text
}
