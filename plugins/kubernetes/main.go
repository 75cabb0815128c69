// Command apm-plugin-kubernetes is the platform plugin that runs applications on
// Kubernetes. The host starts it.
package main

import (
	"os"

	"github.com/apm-deploy/apm/plugins/kubernetes/plugin"
	"github.com/apm-deploy/apm/sdk/serve"
)

func main() { os.Exit(serve.Main(plugin.New())) }
