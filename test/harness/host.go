package harness

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/apm-deploy/apm/api/client"
)

// Host is one installation: a home, a data directory, a configuration, and the
// host on them, which can be started, stopped and killed.
type Host struct {
	t testing.TB
	// Home is the HOME of every process; config.hcl, applications/ and
	// artifacts/ lie in it.
	Home string
	// Data is the host's data directory.
	Data string
	// Port that the host listens on, on every loopback address.
	Port int
	// Plugin is the binary that config.hcl names.
	Plugin string
	// Client has the first admin token; set by Start.
	Client *client.Client
	// Installation is the id of the installation; set by Start.
	Installation string

	mu      sync.Mutex
	process *process // nil: the host does not run
	ports   []int    // of applications
	faked   []string // applications on fake platforms
}

// New prepares a host and starts nothing. At the end of the test what it
// deployed is removed, and the test fails when anything is left.
func New(t testing.TB) *Host {
	t.Helper()
	hearHangUps()
	// Short: paths of Unix sockets are.
	home, err := os.MkdirTemp("", "apm-e2e-") //nolint:usetesting // t.TempDir carries the name of the test
	if err != nil {
		t.Fatal(err)
	}
	h := &Host{
		t: t, Home: home, Data: filepath.Join(home, "data"), Port: FreePort(t),
		Plugin: Binary(t, "plugins/apm-plugin-process"),
	}
	t.Cleanup(h.end)
	h.mkdir("tmp")
	h.mkdir("applications")
	h.mkdir("artifacts")
	h.WriteConfig(h.DefaultConfig())
	if r := h.CLI("plugin", "lock"); r.Code != 0 {
		t.Fatalf("apm plugin lock: %s", r)
	}
	return h
}

// hearHangUps keeps tests that run under nohup from handing that on: what they start
// hears SIGHUP as it does elsewhere.
var hearHangUps = sync.OnceFunc(func() {
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) // what is handled here is the default there
	}
})

// Started is New and Start.
func Started(t testing.TB) *Host {
	t.Helper()
	h := New(t)
	h.Start()
	return h
}

// URL of the host.
func (h *Host) URL() string { return fmt.Sprintf("http://localhost:%d", h.Port) }

// DefaultConfig returns the config.hcl that New writes; it looks often.
func (h *Host) DefaultConfig() string {
	return fmt.Sprintf(`host { data_dir = %q }

server {
  listen          = "localhost:%d"
  allowed_origins = ["http://localhost:%d"]
  anonymous       = "viewer"
}

plugin "process" { path = %q }

deployment {
  default_platform    = "process"
  default_environment = "test"
  applications        = ["applications/*.hcl"]
  process {
    monitor {
      interval = "200ms"
      timeout  = "2m"
    }
  }
}
`, h.Data, h.Port, h.Port, h.Plugin)
}

// WriteConfig replaces config.hcl. A host that runs has read the old one.
func (h *Host) WriteConfig(text string) { h.Write("config.hcl", text) }

// EditConfig replaces a part of config.hcl, which must be there.
func (h *Host) EditConfig(old, text string) {
	h.t.Helper()
	config := h.Read("config.hcl")
	if !strings.Contains(config, old) {
		h.t.Fatalf("config.hcl has no %q", old)
	}
	h.WriteConfig(strings.Replace(config, old, text, 1))
}

// Write writes a file below the home.
func (h *Host) Write(name, text string) {
	h.t.Helper()
	path := h.Path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// Read reads a file below the home; "" when it is not there.
func (h *Host) Read(name string) string {
	h.t.Helper()
	content, err := os.ReadFile(h.Path(name))
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	return string(content)
}

// Path returns the path of a file below the home.
func (h *Host) Path(name string) string { return filepath.Join(h.Home, filepath.FromSlash(name)) }

func (h *Host) mkdir(name string) {
	if err := os.MkdirAll(h.Path(name), 0o755); err != nil {
		h.t.Fatal(err)
	}
}

// Environ is the environment of every process of this host: nothing of the
// test's own but PATH. More is added.
func (h *Host) Environ(more ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + h.Home, "TMPDIR=" + h.Path("tmp"), "LANG=C.UTF-8",
	}, more...)
}

// Address returns a free address for an application, which must be free again
// when the test has ended.
func (h *Host) Address() string {
	h.t.Helper()
	port := FreePort(h.t)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ports = append(h.ports, port)
	return fmt.Sprintf("127.0.0.1:%d", port)
}
