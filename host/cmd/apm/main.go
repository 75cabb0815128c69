// Command apm is the host and its command line.
package main

import (
	"context"
	"os"

	"github.com/apm-deploy/apm/host/internal/cli"
)

func main() {
	os.Exit(int(cli.Run(context.Background(), cli.System(), os.Args[1:])))
}
