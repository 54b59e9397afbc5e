package cli

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/apimeld/agent/schema"
)

//go:embed starter
var starter embed.FS

func (c Command) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init DIR",
		Short: "Write a small, valid, commented configuration repository",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := args[0]
			files := map[string]string{"tasks.yaml": "tasks.yaml", "webhooks.yaml": "webhooks.yaml", "scripts/check.py": "check.py"}
			text, err := schema.JSON("")
			if err != nil {
				return err
			}
			contents := map[string][]byte{"apimeld.schema.json": text}
			for to, from := range files {
				if contents[to], err = starter.ReadFile("starter/" + from); err != nil {
					return err
				}
			}
			// All or nothing: look first, so that no file of somebody's is half replaced.
			for name := range contents {
				if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("write %s: it is there already\nname an empty folder", filepath.Join(dir, name))
				}
			}
			for name, text := range contents {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					return fmt.Errorf("create folder: %w", err)
				}
				if err := os.WriteFile(path, text, 0o644); err != nil {
					return fmt.Errorf("write file: %w", err)
				}
			}
			fmt.Fprintf(c.Stdout, "Wrote %s in %s. Next:\n\n  agent validate %s\n  agent run --inbox %s\n", count(len(contents), "file"), dir, dir, dir)
			return nil
		},
	}
}
