package platform_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/platform"
)

// beHost is a host that supervises the platform "one" until it is killed. dir is
// that of a house.
func beHost(dir string) int {
	catalog, err := platform.NewCatalog(platform.CatalogConfig{
		Plugins: []platform.Plugin{{Name: "fault", Path: filepath.Join(dir, "apm-plugin-fault"), Dev: true}},
		DataDir: dir, RunDir: os.Getenv("APM_TEST_RUN"),
	})
	if err != nil {
		return 10
	}
	s, err := platform.NewSupervisor(platform.SupervisorConfig{
		Catalog: catalog, Platforms: []platform.Spec{{Name: "one", Plugin: "fault"}}, Setup: setup(),
	})
	if err != nil {
		return 11
	}
	if _, err := s.Await(context.Background(), "one"); err != nil {
		return 12
	}
	if err := os.WriteFile(filepath.Join(dir, "fault", "ready"), nil, 0o600); err != nil {
		return 13
	}
	select {}
}

// host starts a host of the house as a process of its own, and waits until its
// platform is ready.
func (h *house) host() *exec.Cmd {
	h.t.Helper()
	host := exec.CommandContext(h.t.Context(), os.Args[0])
	host.Env = append(os.Environ(), envHost+"="+h.dir, "APM_TEST_RUN="+h.run)
	if err := host.Start(); err != nil {
		h.t.Fatal(err)
	}
	eventually(h.t, "the host is ready", func() bool {
		_, err := os.Stat(filepath.Join(h.dir, "fault", "ready"))
		return err == nil
	})
	return host
}

// killHost ends it as nothing can be kept from.
func killHost(t *testing.T, host *exec.Cmd) {
	t.Helper()
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait() // it was killed
}

// What a killed host left is swept by the next one, once it is old enough; what
// another host uses is not, however old.
func TestNextHostSweeps(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	host := h.host()
	left, err := filepath.Glob(filepath.Join(h.run, "apm-plugin-*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("run directories of the host: %v, %v", left, err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(left[0], old, old); err != nil {
		t.Fatal(err)
	}
	gone := func() bool {
		_, err := os.Stat(left[0])
		return errors.Is(err, os.ErrNotExist)
	}
	h.hold.Plugins[0].Dev = true
	await(t, h.supervise())
	if gone() {
		t.Error("the run directory of a host that lives was removed")
	}
	killHost(t, host)
	if gone() {
		t.Error("the host removed it, although it was killed")
	}
	if err := os.Chtimes(left[0], old, old); err != nil {
		t.Fatal(err)
	}
	await(t, h.supervise())
	if !gone() {
		t.Error("the old run directory is left")
	}
}
