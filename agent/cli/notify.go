package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/apimeld/agent/agent/control"
)

// maxText is how much of a text is read: beyond it a message is cut all the same.
const maxText = 4 << 20

// inRun asks the agent that this program's run belongs to.
func (c Command) inRun() control.Client {
	return control.Client{Socket: c.getenv(control.EnvSocket), Token: c.getenv(control.EnvToken)}
}

// asked is the error of a command inside a run.
func asked(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, control.ErrNotInRun):
		return &exitError{exitUsage, err}
	}
	return &exitError{exitBad, fmt.Errorf("%s: %w", what, err)}
}

func (c Command) notifyCommand() *cobra.Command {
	var channel string
	cmd := &cobra.Command{
		Use:   "notify WEBHOOK [TEXT]",
		Short: "Inside a run: send TEXT, or standard input, to a webhook",
		Long: `Send a message to a webhook of the configuration, by its name. It works inside
a run only. When it succeeds the message is stored, and arrives even if the
script ends now. Long texts belong on standard input.`,
		Args: args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			n := control.Notice{Webhook: args[0], Channel: channel}
			if len(args) == 2 {
				n.Text = args[1]
			} else {
				text, err := io.ReadAll(io.LimitReader(c.Stdin, maxText))
				if err != nil {
					return fmt.Errorf("read text: %w", err)
				}
				n.Text = string(text)
			}
			return asked("notify "+args[0], c.inRun().Send(cmd.Context(), n))
		},
	}
	cmd.Flags().StringVar(&channel, "channel", "", "post to this channel instead of the webhook's own")
	return cmd
}
