package platform

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/instance"
	"github.com/apm-deploy/apm/plugins/process/internal/logfile"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
	"github.com/apm-deploy/apm/sdk/diag"
)

// Config is a platform block of the plugin "process".
type Config struct {
	_        struct{} `doc:"Applications as plain processes of this machine, behind a small switch."`
	StateDir string   `apm:"state_dir,path" doc:"Where the state, logs and artifacts of components are kept; ~/.local/state/apm/process if not given, or $XDG_STATE_HOME/apm/process where the plugin gets that variable."`
	User     string   `apm:"user" doc:"User that instances run as; needs a host that runs as root, and a state_dir that this user may pass through. The host's own user if not given."`
	Keep     int      `apm:"keep" default:"5" doc:"Artifacts of versions that served, kept per component so that it can be rolled back; what runs, and what the host may roll back to, is always kept."`
	LogSize  string   `apm:"log_size" default:"\"10MiB\"" doc:"Bound of an instance's log file, which has one old file beside it: a number of bytes, or with KiB, MiB or GiB; at least 64KiB."`
}

// Spec is the spec block of a component.
type Spec struct {
	_            struct{}          `doc:"A component that runs as processes of this machine."`
	Command      []string          `apm:"command,required" doc:"Program and arguments. A program with a slash is relative to the directory, one without is looked up in PATH. No shell is involved."`
	Directory    string            `apm:"directory" doc:"Working directory: absolute, or relative to the artifact's files. The artifact's files if not given."`
	Env          map[string]string `apm:"env,sensitive" doc:"Environment variables. Beside them an instance gets PATH, HOME, TMPDIR, LANG (as far as the plugin has them), PORT and APM_* only. What stands here goes before what is inherited; PORT of a component with ports and APM_INSTANCE are the platform's."`
	Replicas     int               `apm:"replicas" default:"1" doc:"Number of instances, 0 to 100."`
	Artifact     string            `apm:"artifact,path" doc:"Files of this version: a directory, or a .tar, .tar.gz, .tgz or .zip file. They are checksummed, unpacked beside those of other versions, and kept for rollbacks."`
	Ports        map[string]Port   `apm:"port,block" doc:"An address that the component answers on. An instance is told its own port in $PORT (of several: the port named http, else the first by name) and $PORT_<NAME>, and listens there on 127.0.0.1."`
	StopTimeout  time.Duration     `apm:"stop_timeout" default:"\"10s\"" doc:"Time between SIGTERM and SIGKILL when an instance is stopped."`
	Drain        time.Duration     `apm:"drain" default:"\"5s\"" doc:"Time that requests and connections under way get before their instance is stopped."`
	StartTimeout time.Duration     `apm:"start_timeout" default:"\"60s\"" doc:"Time that an instance gets until it accepts connections on its ports."`
}

// Port is a port block.
type Port struct {
	Name     string `apm:"name,label"`
	Listen   string `apm:"listen,required" doc:"Address that clients use, such as 127.0.0.1:8088; it stays the same across versions."`
	Protocol string `apm:"protocol" default:"\"http\"" doc:"http switches versions per request, tcp per connection."`
}

const (
	maxReplicas = 100
	maxKeep     = 1000
	minLogSize  = 64 << 10
)

// root is where the state is.
func (c Config) root() (string, error) {
	switch state, home := os.Getenv("XDG_STATE_HOME"), os.Getenv("HOME"); {
	case c.StateDir != "" && !filepath.IsAbs(c.StateDir):
		return "", fmt.Errorf("state_dir %q is not absolute; give the whole path", c.StateDir)
	case c.StateDir != "":
		return c.StateDir, nil
	case filepath.IsAbs(state):
		return filepath.Join(state, "apm", "process"), nil
	case filepath.IsAbs(home):
		return filepath.Join(home, ".local", "state", "apm", "process"), nil
	default:
		return "", errors.New("HOME is not set, so there is no place for state; set state_dir to a directory that survives a restart")
	}
}

// Check says what is wrong with a configuration that fits the schema, without a
// look at the disk.
func (c Config) Check() (diags diag.Diagnostics) {
	if _, err := c.root(); err != nil {
		diags.Errorf([]string{"state_dir"}, "%v", err)
	}
	if c.Keep < 1 || c.Keep > maxKeep {
		diags.Errorf([]string{"keep"}, "keep must be between 1 and %d, not %d", maxKeep, c.Keep)
	}
	if _, err := c.logSize(); err != nil {
		diags.Errorf([]string{"log_size"}, "%v", err)
	}
	if c.User != "" {
		if credential, err := instance.Credential(c.User); err != nil {
			diags.Errorf([]string{"user"}, "%v; name a user of this machine", err)
		} else if os.Geteuid() != 0 && int(credential.Uid) != os.Geteuid() {
			diags.Errorf([]string{"user"}, "running instances as %q needs root; run the host as root, or leave user out", c.User)
		}
	}
	return diags
}

// prepare makes the state directory and tries whether it can be used.
func (c Config) prepare(root string) (diags diag.Diagnostics) {
	if err := writable(root); err != nil {
		diags.Errorf([]string{"state_dir"}, "state directory %q cannot be used: %v; set state_dir to a directory that the host's user may write to", root, err)
		return diags
	}
	if blocked := unreachable(root, c.User); blocked != "" {
		diags.Errorf([]string{"user"}, "user %q may not pass through %q to the artifacts; set state_dir to a place it can reach, such as /var/lib/apm-process", c.User, blocked)
	}
	return diags
}

func writable(root string) error {
	if err := os.MkdirAll(root, 0o711); err != nil {
		return err
	}
	file, err := os.CreateTemp(root, ".probe-*")
	if err != nil {
		return err
	}
	_ = file.Close()
	return os.Remove(file.Name())
}

// unreachable returns the first directory on the way to root that a user may
// not pass through, or "".
func unreachable(root, user string) string {
	if user == "" {
		return ""
	}
	credential, err := instance.Credential(user)
	if err != nil || credential.Uid == 0 {
		return ""
	}
	for dir := root; ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil {
			stat, ok := info.Sys().(*syscall.Stat_t)
			bit := os.FileMode(0o001)
			switch {
			case ok && stat.Uid == credential.Uid:
				bit = 0o100
			case ok && memberOf(credential, stat.Gid):
				bit = 0o010
			}
			if info.Mode().Perm()&bit == 0 {
				return dir
			}
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

func memberOf(credential *syscall.Credential, gid uint32) bool {
	for _, group := range append([]uint32{credential.Gid}, credential.Groups...) {
		if group == gid {
			return true
		}
	}
	return false
}

func (c Config) logSize() (int64, error) {
	if c.LogSize == "" {
		return logfile.DefaultSize, nil
	}
	text, factor := c.LogSize, int64(1)
	for suffix, value := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if number, ok := strings.CutSuffix(c.LogSize, suffix); ok {
			text, factor = strings.TrimSpace(number), value
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > (1<<40)/factor || n*factor < minLogSize {
		return 0, fmt.Errorf("log_size %q is not a size of at least 64KiB; write for example 10MiB", c.LogSize)
	}
	return n * factor, nil
}

// Check says what is wrong with a spec that fits the schema, without a look at the
// disk.
func (s Spec) Check() (diags diag.Diagnostics) {
	if len(s.Command) == 0 || s.Command[0] == "" {
		diags.Errorf([]string{"command"}, "command is empty; give the program and its arguments, such as [\"./server\"]")
	}
	for i, word := range s.Command {
		if strings.ContainsRune(word, 0) {
			diags.Errorf([]string{"command"}, "word %d of command contains a NUL byte; leave it out", i+1)
		}
	}
	if s.Replicas < 0 || s.Replicas > maxReplicas {
		diags.Errorf([]string{"replicas"}, "replicas must be between 0 and %d, not %d", maxReplicas, s.Replicas)
	}
	if s.Directory != "" && !filepath.IsAbs(s.Directory) {
		if s.Artifact == "" {
			diags.Errorf([]string{"directory"}, "directory %q is relative, which means within the artifact, but there is none; give an absolute directory or an artifact", s.Directory)
		} else if !filepath.IsLocal(s.Directory) {
			diags.Errorf([]string{"directory"}, "directory %q leads out of the artifact; name one within it", s.Directory)
		}
	}
	for key, value := range s.Env {
		if key == "" || strings.ContainsAny(key, "=\x00") || strings.ContainsRune(value, 0) {
			diags.Errorf([]string{"env", key}, "environment variable %q has an impossible name, or a NUL byte in it; write a name without = and a text", key)
		}
		if key == procinfo.InstanceVariable || key == "PORT" && len(s.Ports) > 0 {
			diags.Warnf([]string{"env", key}, "%s is set by the platform: what stands here has no effect; leave it out", key)
		}
	}
	for name, d := range map[string]time.Duration{"stop_timeout": s.StopTimeout, "drain": s.Drain, "start_timeout": s.StartTimeout} {
		if d < 0 || d > time.Hour {
			diags.Errorf([]string{name}, "%s must be between 0s and 1h, not %s", name, d)
		}
	}
	return append(diags, s.checkPorts()...)
}

func (s Spec) checkPorts() (diags diag.Diagnostics) {
	names := make([]string, 0, len(s.Ports))
	for name := range s.Ports {
		names = append(names, name)
	}
	sort.Strings(names)
	taken := map[string]string{}
	for _, name := range names {
		port := s.Ports[name]
		path := []string{"port", name, "listen"}
		if port.Protocol != release.HTTP && port.Protocol != release.TCP {
			diags.Errorf([]string{"port", name, "protocol"}, "protocol %q is unknown; use http or tcp", port.Protocol)
		}
		host, number, err := net.SplitHostPort(port.Listen)
		value, numberErr := strconv.ParseUint(number, 10, 16)
		switch {
		case err != nil || numberErr != nil || value == 0:
			diags.Errorf(path, "listen %q is not an address; write host:port, such as 127.0.0.1:8088", port.Listen)
			continue
		case host != "" && host != "localhost" && net.ParseIP(host) == nil:
			diags.Errorf(path, "listen %q names a host; give an IP address of this machine", port.Listen)
			continue
		}
		key := net.JoinHostPort(host, strconv.FormatUint(value, 10))
		if other, twice := taken[key]; twice {
			diags.Errorf(path, "listen %q is also the address of port %q; each needs its own", port.Listen, other)
		}
		taken[key] = name
	}
	return diags
}

// ports returns the port blocks in the order in which instances see them.
func (s Spec) ports() []release.Port {
	var ports []release.Port
	for name, port := range s.Ports {
		ports = append(ports, release.Port{Name: name, Listen: port.Listen, Protocol: port.Protocol})
	}
	release.SortPorts(ports)
	return ports
}
