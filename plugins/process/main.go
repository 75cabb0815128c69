// Command apm-plugin-process is the platform plugin that runs applications as
// plain processes. Started by the host it serves the plugin contract; started
// as "shim" it keeps one component running, apart from plugin and host.
package main

import (
	"os"

	"github.com/apm-deploy/apm/plugins/process/internal/platform"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/shim"
	"github.com/apm-deploy/apm/sdk/serve"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == procinfo.ShimCommand {
		os.Exit(shim.Main(os.Args[2:]))
	}
	os.Exit(serve.Main(platform.Plugin()))
}
