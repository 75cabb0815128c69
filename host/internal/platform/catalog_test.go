package platform_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/platform"
)

// says checks that a user's error has the parts and tells what to do.
func says(t *testing.T, err error, parts ...string) {
	t.Helper()
	var e *deployment.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *deployment.Error", err)
	}
	if e.Remedy == "" {
		t.Errorf("error %q has no remedy", e)
	}
	for _, part := range parts {
		if !strings.Contains(e.Error(), part) {
			t.Errorf("error %q does not say %q", e, part)
		}
	}
}

func TestNewCatalogRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		plugins []platform.Plugin
		says    string
	}{
		"name":     {[]platform.Plugin{{Name: "../x", Path: "/p"}}, "name"},
		"relative": {[]platform.Plugin{{Name: "x", Path: "p"}}, "not absolute"},
		"sha256":   {[]platform.Plugin{{Name: "x", Path: "/p", SHA256: "9f2c…"}}, "64 lower-case"},
		"twice":    {[]platform.Plugin{{Name: "x", Path: "/p"}, {Name: "x", Path: "/q"}}, "twice"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := platform.NewCatalog(platform.CatalogConfig{Plugins: test.plugins}); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want it to say %q", err, test.says)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	foreign := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	foreign = append(foreign, 2, 0, 21, 0, 1, 0, 0, 0) // executable, 64-bit PowerPC
	foreign = append(foreign, make([]byte, 40)...)
	tests := map[string]struct {
		prepare func(*house)
		says    []string
	}{
		"missing":            {func(h *house) { _ = os.Remove(h.path()) }, []string{"there is no file", "make build"}},
		"directory":          {func(h *house) { _, _ = os.Remove(h.path()), os.Mkdir(h.path(), 0o700) }, []string{"is a directory"}},
		"not executable":     {func(h *house) { h.write("#!/bin/sh\n", 0o644) }, []string{"not executable", "chmod +x"}},
		"empty":              {func(h *house) { h.write("", 0o755) }, []string{"empty or cut off"}},
		"other architecture": {func(h *house) { h.write(string(foreign), 0o755) }, []string{"is built for linux/ppc64le"}},
		"other system":       {func(h *house) { h.write("MZ..", 0o755) }, []string{"is built for windows"}},
		"damaged":            {func(h *house) { h.write("\x7fELF", 0o755) }, []string{"damaged"}},
		"not locked":         {func(*house) {}, []string{"no checksum is pinned", "apm plugin lock", "dev = true"}},
		"changed since":      {func(h *house) { h.lock(); h.bring("1.2.4") }, []string{"has sha256", "apm.lock.hcl pins", "apm plugin lock"}},
		"pinned otherwise":   {func(h *house) { h.hold.Plugins[0].SHA256 = strings.Repeat("a", 64) }, []string{"the plugin block of config.hcl pins " + strings.Repeat("a", 64)}},
		"lock file broken":   {func(h *house) { h.writeLock("plugin \"fault\" {\n  sha256 = \n}\n") }, []string{"apm.lock.hcl:2:", "apm plugin lock"}},
		"lock file foreign":  {func(h *house) { h.writeLock("platform \"x\" {}\n") }, []string{"apm.lock.hcl:1:1"}},
		"lock file twice":    {func(h *house) { h.writeLock(strings.Repeat(block(strings.Repeat("a", 64)), 2)) }, []string{`"fault" stands twice`}},
		"lock file cut sum":  {func(h *house) { h.writeLock(block("9f2c")) }, []string{"64 lower-case"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			test.prepare(h)
			_, err := h.catalog().Verify(t.Context(), "fault")
			says(t, err, append(test.says, "")...)
			if got := deployment.CodeOf(err); got != deployment.Unavailable {
				t.Errorf("code is %q", got)
			}
		})
	}
	t.Run("unknown", func(t *testing.T) {
		t.Parallel()
		_, err := newHouse(t).catalog().Verify(t.Context(), "docker")
		says(t, err, `plugin "docker" is not in config.hcl`, "known plugins: fault")
	})
	t.Run("dev needs no lock", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.hold.Plugins[0].Dev = true
		h.writeLock(block(strings.Repeat("a", 64)))
		if _, err := h.catalog().Verify(t.Context(), "fault"); err != nil {
			t.Error(err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.lock()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := h.catalog().Verify(ctx, "fault"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func block(sum string) string {
	return "plugin \"fault\" {\n  version = \"1.2.3\"\n  sha256 = \"" + sum + "\"\n}\n"
}

func (h *house) writeLock(content string) {
	h.t.Helper()
	if err := os.WriteFile(h.hold.LockFile, []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	other := "plugin \"zother\" {\n  version = \"9.9.9\"\n  sha256  = \"" + strings.Repeat("a", 64) + "\"\n}\n"
	h.writeLock(other)
	c := h.catalog()
	first, err := c.Lock(t.Context(), "fault")
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 1 || first[0].Version != "1.2.3" || !first[0].Changed {
		t.Errorf("got %+v", first)
	}
	want := "# Written by `apm plugin lock`; one block per plugin of config.hcl.\n" +
		"plugin \"fault\" {\n  version = \"1.2.3\"\n  sha256  = \"" + first[0].SHA256 + "\"\n}\n\n" + other
	content, err := os.ReadFile(h.hold.LockFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(content)); diff != "" {
		t.Errorf("lock file (-want +got):\n%s", diff)
	}
	again, err := c.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again[0].Changed {
		t.Error("the second lock changed something")
	}
	if content, err = os.ReadFile(h.hold.LockFile); err != nil || string(content) != want {
		t.Errorf("the second lock wrote %q, %v", content, err)
	}
	h.bring("1.2.4")
	newer, err := c.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if newer[0].Version != "1.2.4" || !newer[0].Changed || newer[0].SHA256 == first[0].SHA256 {
		t.Errorf("got %+v", newer)
	}
	if _, err := c.Lock(t.Context(), "nobody"); deployment.CodeOf(err) != deployment.NotFound {
		t.Errorf("got %v", err)
	}
	left, err := filepath.Glob(filepath.Join(h.dir, ".apm.lock-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestLockRefusesAnotherName(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.hold.Plugins[0].Name = "process"
	_, err := h.catalog().Lock(t.Context())
	says(t, err, `calls itself "fault"`, `"process"`)
	if _, err := os.Stat(h.hold.LockFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a lock file was written: %v", err)
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.lock()
	description, err := h.catalog().Inspect(t.Context(), "fault")
	if err != nil {
		t.Fatal(err)
	}
	if description.Name != "fault" || description.Version != "1.2.3" || !description.Capabilities.Inventory || description.Capabilities.Cancel {
		t.Errorf("got %+v", description)
	}
	if configured := h.noted("configured"); len(configured) > 0 {
		t.Errorf("it was configured: %v", configured)
	}
}

func TestInstallAndPrune(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.lock()
	c := h.catalog()
	old, err := c.Install(t.Context(), "fault")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{old.Path: 0o500, filepath.Dir(old.Path): 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %s is %o, want %o", filepath.Base(path), got, want)
		}
	}
	if diff := cmp.Diff(filepath.Join(h.dir, "plugins", old.SHA256, "fault"), old.Path); diff != "" {
		t.Errorf("path (-want +got):\n%s", diff)
	}
	// A copy that somebody damaged is made again by the next host.
	if err := errors.Join(os.Chmod(old.Path, 0o700), os.WriteFile(old.Path, []byte("damaged"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.catalog().Install(t.Context(), "fault"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(old.Path); err != nil || info.Size() < 1<<20 {
		t.Errorf("the copy was not repaired: %v, %v", info, err)
	}
	h.bring("1.2.4")
	h.lock()
	current, err := c.Install(t.Context(), "fault")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Prune(current); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(h.dir, "plugins"))
	if err != nil || len(entries) != 1 || entries[0].Name() != current.SHA256 {
		t.Errorf("left after prune: %v, %v", entries, err)
	}
}

func TestOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.lock()
	got, stop, err := h.catalog().Once(t.Context(), platform.Spec{Name: "one", Plugin: "fault"}, setup())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`one {"greeting":"hello"} installation-1 0.1.0`}, h.noted("configured")); diff != "" {
		t.Errorf("configured (-want +got):\n%s", diff)
	}
	inventory, ok := got.(interface {
		Inventory(context.Context, string) ([]inventoryItem, error)
	})
	if !ok {
		t.Fatalf("%T has no Inventory", got)
	}
	items, err := inventory.Inventory(t.Context(), "installation-1")
	if err != nil || len(items) != 1 || items[0].InstallationID != "installation-1" {
		t.Errorf("got %+v, %v", items, err)
	}
	if err := errors.Join(stop(), stop()); err != nil {
		t.Error(err)
	}
}
