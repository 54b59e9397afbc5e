package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/apimeld/agent/schema"
)

func (c Command) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [KIND]",
		Short: "Print a JSON Schema: of one kind, or of a whole file",
		Long: `Print the JSON Schema of a kind (task, webhook or defaults), or without one that
of a whole file, for editors:

  agent schema > .vscode/apimeld.schema.json

and as the first line of a YAML file:

  # yaml-language-server: $schema=.vscode/apimeld.schema.json`,
		Args:      args(cobra.MaximumNArgs(1)),
		ValidArgs: []string{"task", "webhook", "defaults"},
		RunE: func(_ *cobra.Command, args []string) error {
			kind := ""
			if len(args) == 1 {
				kind = args[0]
				for _, k := range schema.Kinds() {
					if strings.EqualFold(k, kind) {
						kind = k
					}
				}
			}
			text, err := schema.JSON(kind)
			if err != nil {
				return usage(err)
			}
			if _, err := c.Stdout.Write(text); err != nil {
				return fmt.Errorf("write schema: %w", err)
			}
			return nil
		},
	}
}
