package platform

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/apm-deploy/apm/sdk/wire"
)

// The variables of the wire contract that go-plugin does not set itself.
const (
	envSocketDir = "PLUGIN_UNIX_SOCKET_DIR"
	envLifeline  = "APM_PLUGIN_LIFELINE_FD"
	envLogLevel  = "APM_PLUGIN_LOG_LEVEL"
	lifelineFD   = "3" // the first of ExtraFiles
	// envMemory is read by Go's runtime, which then collects garbage harder
	// instead of growing.
	envMemory = "GOMEMLIMIT"
)

// always are the variables that every plugin inherits.
var always = []string{"PATH", "HOME", "TMPDIR"}

// environment returns what a plugin may see of the host's environment, and the
// contract's own variables, which win.
func environment(p Plugin, goPlugin []string, socketDir, clientCert string) []string {
	var env []string
	for _, name := range slices.Concat(always, p.Environment) {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	level := strings.ToLower(p.LogLevel)
	if level == "" {
		level = "info"
	}
	env = append(env, goPlugin...)
	if p.MemoryLimit > 0 {
		env = append(env, envMemory+"="+strconv.FormatInt(p.MemoryLimit/10*9, 10))
	}
	return append(env,
		wire.EnvClientCert+"="+clientCert,
		envSocketDir+"="+socketDir,
		envLifeline+"="+lifelineFD,
		envLogLevel+"="+level,
	)
}
