package harness

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
)

// Application is an application file in the making.
type Application struct {
	Name       string
	Bake       string // default "500ms"
	OnFailure  string
	Concurrent string
	// Timeouts of stages, by name.
	Timeouts   map[string]string
	Components []Component
	More       string // HCL for the application
}

// Component runs the demo's server, unless Command says otherwise.
type Component struct {
	Name      string
	Platform  string // "" is the default, process; else a platform of the same plugin
	DependsOn []string
	// Listen is the address of its http port; "" has none.
	Listen   string
	Protocol string // default "http"
	Replicas int
	Command  []string // default ["./server"], from the artifact of the version
	Env      map[string]string
	// Spec is more HCL for the spec block.
	Spec  string
	Steps []int
	Pause string
	// Checks is HCL; default: one http check of /healthz that looks each
	// 100 ms, 2 in a row either way. "none" is no check.
	Checks string
}

// Define writes the application's file, anew if it is there.
func (h *Host) Define(a Application) {
	h.t.Helper()
	var b strings.Builder
	line := func(format string, arguments ...any) { fmt.Fprintf(&b, format+"\n", arguments...) }
	if a.Bake == "" {
		a.Bake = "500ms"
	}
	line("application %q {", a.Name)
	line("  policy {")
	line("    bake = %q", a.Bake)
	for key, value := range map[string]string{"on_failure": a.OnFailure, "concurrent": a.Concurrent} {
		if value != "" {
			line("    %s = %q", key, value)
		}
	}
	if len(a.Timeouts) > 0 {
		line("    timeouts {")
		for _, key := range keys(a.Timeouts) {
			line("      %s = %q", key, a.Timeouts[key])
		}
		line("    }")
	}
	line("  }")
	for _, c := range a.Components {
		h.component(line, c)
	}
	line("%s}", a.More)
	h.Write("applications/"+a.Name+".hcl", b.String())
}

func (h *Host) component(line func(string, ...any), c Component) {
	line("  component %q {", c.Name)
	if c.Platform != "" {
		line("    platform = %q", c.Platform)
	}
	if len(c.DependsOn) > 0 {
		line("    depends_on = %s", list(c.DependsOn))
	}
	line("    spec {")
	if len(c.Command) == 0 {
		c.Command = []string{"./server"}
		line("      artifact = \"%s/${version}\"", h.Path("artifacts"))
	}
	line("      command = %s", list(c.Command))
	if c.Replicas > 0 {
		line("      replicas = %d", c.Replicas)
	}
	env := map[string]string{
		"DEMO_VERSION": "${version}", "DEMO_STARTS": h.Path(c.Name + ".starts"), "DEMO_POSTS": h.Path(c.Name + ".posts"),
		"DEMO_SICK": h.Path(c.Name + ".sick"),
	}
	for key, value := range c.Env {
		env[key] = value
	}
	line("      env = {")
	for _, key := range keys(env) {
		line("        %s = %q", key, env[key])
	}
	line("      }")
	if c.Listen != "" {
		if c.Protocol == "" {
			c.Protocol = "http"
		}
		line("      port \"http\" {\n        listen = %q\n        protocol = %q\n      }", c.Listen, c.Protocol)
	}
	if c.Spec != "" {
		line("%s", c.Spec)
	}
	line("    }")
	if len(c.Steps) > 0 {
		steps := make([]string, len(c.Steps))
		for i, step := range c.Steps {
			steps[i] = strconv.Itoa(step)
		}
		line("    promote {\n      steps = [%s]\n      pause = %q\n    }", strings.Join(steps, ", "), c.Pause)
	}
	switch c.Checks {
	case "none":
	case "":
		line("%s", HTTPCheck("healthz", "http://${address}/healthz"))
	default:
		line("%s", c.Checks)
	}
	line("  }")
}

// HTTPCheck is the text of a quick http check.
func HTTPCheck(name, url string) string {
	return fmt.Sprintf(`    check "http" %q {
      url      = %q
      interval = "100ms"
      timeout  = "1s"
      passes   = 2
      failures = 2
    }`, name, url)
}

// Artifact makes the directory of a version, which holds the demo's server.
func (h *Host) Artifact(versions ...string) {
	h.t.Helper()
	for _, version := range versions {
		CopyProgram(h.t, Binary(h.t, "demo/server"), h.Path("artifacts/"+version+"/server"))
	}
}

// Sicken turns the health checks of a component's versions bad, at once; without
// versions all are well again.
func (h *Host) Sicken(component string, versions ...string) {
	h.t.Helper()
	// Renamed, so that no instance reads half of it.
	h.Write(component+".sick.new", strings.Join(versions, "\n"))
	if err := os.Rename(h.Path(component+".sick.new"), h.Path(component+".sick")); err != nil {
		h.t.Fatal(err)
	}
}

// Starts returns the version of each instance of a component that was ever
// started, in order.
func (h *Host) Starts(component string) []string {
	h.t.Helper()
	versions := []string{}
	for _, line := range strings.Split(strings.TrimSpace(h.Read(component+".starts")), "\n") {
		if _, version, ok := strings.Cut(line, " "); ok {
			versions = append(versions, version)
		}
	}
	return versions
}

// AwaitStarts waits until instances of a component were started n times.
func (h *Host) AwaitStarts(component string, n int) {
	h.t.Helper()
	Eventually(h.t, fmt.Sprintf("start %d of %s", n, component), func() (bool, string) {
		starts := h.Starts(component)
		return len(starts) >= n, strings.Join(starts, " ")
	})
}

// list is an HCL list of texts.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = strconv.Quote(text)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func keys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for key := range m {
		out = append(out, key)
	}
	sort.Strings(out)
	return out
}
