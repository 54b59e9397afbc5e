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
			err := control.Send(cmd.Context(), c.getenv(control.EnvSocket), c.getenv(control.EnvToken), n)
			if errors.Is(err, control.ErrNotInRun) {
				return &exitError{exitUsage, err}
			}
			if err != nil {
				return &exitError{exitBad, fmt.Errorf("notify %s: %w", args[0], err)}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&channel, "channel", "", "post to this channel instead of the webhook's own")
	return cmd
}
