// Command apm-plugin-symlink is a platform plugin that deploys directories of
// files: each release lies beside the others, and a symlink says which is current.
package main

import (
	"os"

	"example.com/apm-plugin-symlink/internal/platform"

	"github.com/apm-deploy/apm/sdk/serve"
)

func main() { os.Exit(serve.Main(platform.Plugin())) }
