package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// PythonPlugin returns the example plugin in Python, which `make python` makes.
// Only a machine on which it cannot be built is excused, and never CI.
func PythonPlugin(t testing.TB) string {
	t.Helper()
	path := filepath.Join(Repository(t), "examples", "plugin-python", "bin", "apm-plugin-symlink-python")
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: run make python", err)
		}
		t.Skipf("%v: make python makes it, with Python 3.11 or newer", err)
	}
	return path
}

// Python is a platform of the plugin in Python: directories of files behind a
// symlink.
type Python struct {
	// Name of the platform.
	Name string
	// Root is the directory in which its components live.
	Root string
	host *Host
}

// Python adds a platform of the plugin in Python to config.hcl, and the plugin if
// it is not there yet, and locks it. Call it before Start.
func (h *Host) Python(name string) *Python {
	h.t.Helper()
	p := &Python{Name: name, Root: h.Path("www/" + name), host: h}
	config := h.Read("config.hcl")
	if !strings.Contains(config, `plugin "symlink-python" {`) {
		config += fmt.Sprintf("\nplugin \"symlink-python\" {\n  path = %q\n}\n", PythonPlugin(h.t))
	}
	config += fmt.Sprintf("\nplatform %q {\n  plugin = \"symlink-python\"\n  root   = %q\n  monitor {\n    interval = \"200ms\"\n  }\n}\n", name, p.Root)
	h.WriteConfig(config)
	// To be locked it is started, which on a machine that does much else may take it
	// longer than it may take.
	Eventually(h.t, "the plugin in Python is locked", func() (bool, string) {
		r := h.CLI("plugin", "lock", "symlink-python")
		return r.Code == 0, r.String()
	})
	return p
}

// Release writes files of a version of everything on the platform.
func (p *Python) Release(version string, files map[string]string) {
	p.host.t.Helper()
	for name, text := range files {
		p.host.Write(filepath.Join("sources", version, name), text)
	}
}

// Link adds a link to the files of a version.
func (p *Python) Link(version, name, to string) {
	p.host.t.Helper()
	if err := os.Symlink(to, p.host.Path(filepath.Join("sources", version, name))); err != nil {
		p.host.t.Fatal(err)
	}
}

// Define writes the file of an application whose only component, web, serves the
// files of its version. more is HCL for the component.
func (p *Python) Define(a Application, more string) {
	p.host.t.Helper()
	a.More += fmt.Sprintf(`  component "web" {
    platform = %q
    spec {
      source = "%s/${version}"
      env    = { TOKEN = "canary-of-python" }
    }
%s
  }
`, p.Name, p.host.Path("sources"), more)
	p.host.Define(a)
}

// Component is the directory of an application's component.
func (p *Python) Component(application string) string {
	return filepath.Join(p.Root, application, "test", "web")
}

// PlatformPID returns the pid of a platform's process.
func (h *Host) PlatformPID(platform string) int {
	h.t.Helper()
	p, err := h.Client.Plugin(h.t.Context(), platform)
	if err != nil || p.PID == 0 {
		h.t.Fatalf("pid of platform %s: %+v, %v", platform, p, err)
	}
	return p.PID
}

// PluginProcesses returns the pids of the processes of this host's plugins: those
// that were started by the wire contract in this home. What a plugin started to
// outlive it is none.
func (h *Host) PluginProcesses() []int {
	var pids []int
	for _, pid := range h.Processes() {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && strings.Contains("\x00"+string(environ), "\x00APM_PLUGIN=") && syscall.Kill(pid, 0) == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
