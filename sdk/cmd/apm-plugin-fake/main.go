// Command apm-plugin-fake is the fake platform as a binary, for tests of hosts.
// It deploys nothing but files that it wrote itself, and misbehaves as
// config.hcl says. It is no platform for anything that matters.
package main

import (
	"os"

	"github.com/apm-deploy/apm/sdk/plugintest/fake"
)

func main() { os.Exit(fake.Main()) }
