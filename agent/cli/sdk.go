package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/apimeld/agent/runners"
)

func (c Command) sdkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sdk",
		Short: "What scripts find when they start",
		Args:  args(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "stubs DIR",
		Short: "Write the files that tell an editor of notifications, logger, state and so on",
		Long: `Write apimeld.pyi and apimeld.d.ts into a folder, for completion and type checks
in editors. Scripts need neither. Each says at its top how an editor finds it.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			stubs, err := runners.Stubs()
			if err != nil {
				return fmt.Errorf("read stubs: %w", err)
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("create folder: %w", err)
			}
			for _, name := range slices.Sorted(maps.Keys(stubs)) {
				path := filepath.Join(args[0], name)
				if err := os.WriteFile(path, stubs[name], 0o644); err != nil {
					return fmt.Errorf("write stub: %w", err)
				}
				fmt.Fprintln(c.Stdout, path)
			}
			return nil
		},
	})
	return cmd
}
