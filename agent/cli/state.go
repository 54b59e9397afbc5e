package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/apimeld/agent/agent/control"
)

func (c Command) stateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Inside a run: what the task remembers from run to run",
		Long: `Read and write what a task remembers from run to run: values by key. It works
inside a run only. Values are texts; with --json they are JSON.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var asJSON bool
	get := &cobra.Command{
		Use:   "get KEY",
		Short: "Print a value; exit code 1 when there is none",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			value, err := c.inRun().State(cmd.Context(), args[0])
			if errors.Is(err, control.ErrNotSet) {
				return bad
			}
			if err != nil {
				return &exitError{exitFailed, fmt.Errorf("read state %s: %w", args[0], err)}
			}
			var text string
			if !asJSON && json.Unmarshal(value, &text) == nil {
				value = []byte(text)
			}
			fmt.Fprintf(c.Stdout, "%s\n", value)
			return nil
		},
	}
	set := &cobra.Command{
		Use:   "set KEY [VALUE]",
		Short: "Keep VALUE, or standard input",
		Args:  args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var text string
			if len(args) == 2 {
				text = args[1]
			} else {
				b, err := io.ReadAll(io.LimitReader(c.Stdin, maxText))
				if err != nil {
					return fmt.Errorf("read value: %w", err)
				}
				text = string(b)
			}
			value := []byte(text)
			if !asJSON {
				var err error
				if value, err = json.Marshal(strings.ToValidUTF8(text, "\uFFFD")); err != nil {
					return fmt.Errorf("encode value: %w", err)
				}
			}
			return asked("keep state "+args[0], c.inRun().SetState(cmd.Context(), args[0], value))
		},
	}
	forget := &cobra.Command{
		Use:   "delete KEY",
		Short: "Forget a value",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asked("forget state "+args[0], c.inRun().SetState(cmd.Context(), args[0], nil))
		},
	}
	for _, one := range []*cobra.Command{get, set} {
		one.Flags().BoolVar(&asJSON, "json", false, "the value is JSON")
	}
	cmd.AddCommand(get, set, forget)
	return cmd
}
