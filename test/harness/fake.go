package harness

import (
	"fmt"
	"strings"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest/fake"
)

// Fake is a platform of the fake plugin, which misbehaves as its block of
// config.hcl says. What is deployed on it is files below Root, and need not be
// removed.
type Fake struct {
	// Name of the platform.
	Name string
	// Root is the directory in which its components live.
	Root string
	host *Host
	// block is what config.hcl has of it now.
	block string
}

// Fake adds a platform of the fake plugin to config.hcl, and the plugin if it is
// not there yet, and locks it. block is more HCL for the platform's block, such
// as fault blocks. Call it before Start.
func (h *Host) Fake(name, block string) *Fake {
	h.t.Helper()
	f := &Fake{Name: name, Root: h.Path("fake/" + name), host: h}
	h.mkdir("fake/" + name)
	config := h.Read("config.hcl")
	if !strings.Contains(config, `plugin "fake" {`) {
		config += fmt.Sprintf("\nplugin \"fake\" {\n  path = %q\n}\n", Binary(h.t, "test/apm-plugin-fake"))
	}
	f.block = f.hcl(block)
	h.WriteConfig(config + "\n" + f.block)
	h.Must(0, "plugin", "lock", "fake")
	return f
}

// hcl is the platform's block.
func (f *Fake) hcl(block string) string {
	if !strings.Contains(block, "monitor {") {
		block += "\n  monitor {\n    interval = \"100ms\"\n  }"
	}
	return fmt.Sprintf("platform %q {\n  plugin = \"fake\"\n  root   = %q\n%s\n}\n", f.Name, f.Root, block)
}

// Configure replaces the platform's block in config.hcl, which a host that runs
// has read already.
func (f *Fake) Configure(block string) {
	f.host.t.Helper()
	text := f.hcl(block)
	f.host.EditConfig(f.block, text)
	f.block = text
}

// FakeComponent is a component on a fake platform.
type FakeComponent struct {
	Name      string
	DependsOn []string
	// Spec is more HCL for the spec block.
	Spec string
	// More is more HCL for the component.
	More string
}

// Define writes the file of an application whose components run on this
// platform. Its versions are those of Versions.
func (f *Fake) Define(a Application, components ...FakeComponent) {
	f.host.t.Helper()
	var b strings.Builder
	for _, c := range components {
		fmt.Fprintf(&b, "  component %q {\n    platform = %q\n", c.Name, f.Name)
		if len(c.DependsOn) > 0 {
			fmt.Fprintf(&b, "    depends_on = %s\n", list(c.DependsOn))
		}
		fmt.Fprintf(&b, "    spec {\n      file = \"%s/${version}\"\n%s\n    }\n%s\n  }\n", f.host.Path("fake-versions"), c.Spec, c.More)
	}
	a.More += b.String()
	f.host.Define(a)
	f.host.mu.Lock()
	defer f.host.mu.Unlock()
	f.host.faked = append(f.host.faked, a.Name)
}

// Versions writes what versions of fake components are: their names.
func (h *Host) Versions(versions ...string) {
	h.t.Helper()
	for _, version := range versions {
		h.Write("fake-versions/"+version, version)
	}
}

// target names a component in the harness's environment.
func target(application, component string) sdk.Target {
	return sdk.Target{Application: application, Environment: "test", Component: component}
}

// Runs returns the version that runs; "" is none.
func (f *Fake) Runs(application, component string) string {
	f.host.t.Helper()
	text, err := fake.Runs(f.Root, target(application, component))
	if err != nil {
		f.host.t.Fatalf("what runs of %s/%s: %v", application, component, err)
	}
	return text
}

// Effects returns the id of the operation of every change that the platform made
// to a component, in order: an id that stands twice was done twice.
func (f *Fake) Effects(application, component string) []string {
	f.host.t.Helper()
	ids, err := fake.Effects(f.Root, target(application, component))
	if err != nil {
		f.host.t.Fatalf("what was done to %s/%s: %v", application, component, err)
	}
	return ids
}

// PID of the platform's process; 0 when there is none.
func (f *Fake) PID() int {
	f.host.t.Helper()
	p, err := f.host.Client.Plugin(f.host.t.Context(), f.Name)
	if err != nil {
		f.host.t.Fatalf("pid of platform %s: %v", f.Name, err)
	}
	return p.PID
}

// Inject has the platform misbehave from now on, also while its process runs:
// block is what a block fault of that label would hold. See docs/fault-injection.md.
func (f *Fake) Inject(label string, block map[string]any) {
	f.host.t.Helper()
	if err := fake.Inject(f.Root, label, block); err != nil {
		f.host.t.Fatal(err)
	}
}

// Relent takes faults back; without labels all of them, also those of config.hcl.
func (f *Fake) Relent(labels ...string) {
	f.host.t.Helper()
	if err := fake.Relent(f.Root, labels...); err != nil {
		f.host.t.Fatal(err)
	}
}

// FakeBinary writes another binary of the fake plugin below the home: a later
// version, one that cannot start, one that can do less.
func (h *Host) FakeBinary(name string, v fake.Variant) string {
	h.t.Helper()
	h.mkdir("bin")
	path := h.Path("bin/" + name)
	if err := fake.Vary(Binary(h.t, "test/apm-plugin-fake"), path, v); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// Lock makes config.hcl name another binary for the fake plugin, and pins it.
func (h *Host) Lock(binary string) {
	h.t.Helper()
	_, rest, found := strings.Cut(h.Read("config.hcl"), "plugin \"fake\" {\n")
	line, _, _ := strings.Cut(rest, "\n")
	if !found {
		h.t.Fatal("config.hcl has no fake plugin")
	}
	h.EditConfig(line, fmt.Sprintf("  path = %q", binary))
	h.Must(0, "plugin", "lock", "fake")
}
