package platform_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
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

// A host that is killed takes its plugins with it; the next one cleans up after
// it.
func TestHostKilled(t *testing.T) {
	t.Parallel()
	for _, frozen := range []bool{false, true} {
		t.Run(fmt.Sprintf("plugin frozen %v", frozen), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			host := exec.CommandContext(t.Context(), os.Args[0])
			host.Env = append(os.Environ(), envHost+"="+h.dir, "APM_TEST_RUN="+h.run)
			if err := host.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the host is ready", func() bool {
				_, err := os.Stat(filepath.Join(h.dir, "fault", "ready"))
				return err == nil
			})
			plugin := h.starts()[0]
			if !alive(plugin) {
				t.Fatal("the plugin does not run")
			}
			if frozen {
				if err := syscall.Kill(plugin, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			killed := time.Now()
			if err := host.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = host.Wait() // it was killed
			eventually(t, "the plugin is gone", func() bool { return !alive(plugin) })
			if took := time.Since(killed); took > 3*time.Second {
				t.Errorf("the plugin lived on for %v", took)
			}

			// What it left is swept by the next host, once it is old enough.
			left, err := filepath.Glob(filepath.Join(h.run, "apm-plugin-*"))
			if err != nil || len(left) != 1 {
				t.Fatalf("run directories of the killed host: %v, %v", left, err)
			}
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(left[0], old, old); err != nil {
				t.Fatal(err)
			}
			h.hold.Plugins[0].Dev = true
			s := h.supervise()
			if _, err := os.Stat(left[0]); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the old run directory is left: %v", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if _, err := s.Await(ctx, "one"); err != nil {
				t.Error(err)
			}
		})
	}
}
