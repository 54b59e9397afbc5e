// Command agent runs scheduled scripts as a Git repository of YAML says, and
// tells Mattermost how they went.
package main

import (
	"os"
	_ "time/tzdata" // schedules name time zones, and small images have none

	"github.com/apimeld/agent/agent/cli"
)

func main() { os.Exit(cli.Main()) }
