package platform_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/apm-deploy/apm/host/internal/platform"
	"github.com/apm-deploy/apm/sdk/schema"
)

// envHost makes the test binary a host that is going to be killed.
const envHost = "APM_TEST_HOST"

// envFlood makes it a host whose plugin pours out.
const envFlood = "APM_TEST_FLOOD"

// built are the binaries of testdata/faultplugin, by version.
var built = map[string]string{}

func TestMain(m *testing.M) {
	if dir, flood := os.Getenv(envHost), os.Getenv(envFlood); flood != "" {
		if err := beFlooded(dir, flood); err != nil {
			panic(err)
		}
		return
	} else if dir != "" {
		os.Exit(beHost(dir)) //nolint:forbidigo // here the test binary is another process
	}
	dir, err := os.MkdirTemp("", "apm-platform-")
	if err != nil {
		panic(err)
	}
	for _, version := range []string{"1.2.3", "1.2.4"} {
		built[version] = filepath.Join(dir, "fault-"+version)
		build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags", "-s -w -X main.version="+version, "-o", built[version], "./testdata/faultplugin")
		if out, err := build.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("build fault plugin: %v\n%s", err, out))
		}
	}
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	os.Exit(code) //nolint:forbidigo // the end of TestMain
}

// house is a host's surroundings: a data directory, a plugin, a lock file.
type house struct {
	t    testing.TB
	dir  string // data, control and binary
	run  string // run directories; nothing may be left in it
	log  *lines
	hold platform.CatalogConfig
}

// newHouse has the fault plugin as "fault", not locked.
func newHouse(t testing.TB) *house {
	t.Helper()
	// Sockets need short paths, which t.TempDir's are not.
	run, err := os.MkdirTemp("/tmp", "apm-t-") //nolint:usetesting // for the reason above
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, dir: t.TempDir(), run: run, log: &lines{}}
	t.Cleanup(func() {
		left, err := os.ReadDir(run)
		if err != nil || len(left) > 0 {
			t.Errorf("left in the run directory: %v, %v", left, err)
		}
		if err := os.RemoveAll(run); err != nil {
			t.Error(err)
		}
		for _, pid := range h.starts() {
			if alive(pid) {
				t.Errorf("plugin process %d is left", pid)
			}
		}
		for _, pid := range h.below() {
			t.Errorf("process %d is left, which a plugin started", pid)
		}
	})
	if err := os.Mkdir(filepath.Join(h.dir, "fault"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.bring("1.2.3")
	h.hold = platform.CatalogConfig{
		Plugins:  []platform.Plugin{{Name: "fault", Path: h.path(), LogLevel: "debug"}},
		LockFile: filepath.Join(h.dir, "apm.lock.hcl"), DataDir: h.dir, RunDir: run,
		Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	return h
}

func (h *house) path() string { return filepath.Join(h.dir, "apm-plugin-fault") }

// bring puts that version of the plugin in its place, as a build does.
func (h *house) bring(version string) {
	h.t.Helper()
	if err := os.Remove(h.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.t.Fatal(err)
	}
	if err := os.Link(built[version], h.path()); err != nil {
		content, readErr := os.ReadFile(built[version])
		if err := errors.Join(readErr, os.WriteFile(h.path(), content, 0o755)); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) remove() {
	h.t.Helper()
	if err := os.Remove(h.path()); err != nil {
		h.t.Fatal(err)
	}
}

// write makes the plugin a script or anything else.
func (h *house) write(content string, mode fs.FileMode) {
	h.t.Helper()
	if err := errors.Join(os.Remove(h.path()), os.WriteFile(h.path(), []byte(content), mode)); err != nil {
		h.t.Fatal(err)
	}
}

// control writes a file of the fault plugin's control directory.
func (h *house) control(file, content string) {
	h.t.Helper()
	path := filepath.Join(h.dir, "fault", file)
	if err := errors.Join(os.WriteFile(path+".new", []byte(content), 0o600), os.Rename(path+".new", path)); err != nil {
		h.t.Fatal(err)
	}
}

// noted are the lines that the fault plugin added to a file.
func (h *house) noted(file string) []string {
	h.t.Helper()
	content, err := os.ReadFile(filepath.Join(h.dir, "fault", file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.t.Fatal(err)
	}
	if len(content) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
}

// starts are the pids of the fault plugin's starts.
func (h *house) starts() []int {
	h.t.Helper()
	var pids []int
	for _, line := range h.noted("starts") {
		pid, err := strconv.Atoi(line)
		if err != nil {
			h.t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// below are the processes that have a run directory of the house in their
// environment: plugins, and what they started.
func (h *house) below() []int {
	h.t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		h.t.Fatal(err)
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err == nil && bytes.Contains(environ, []byte("PLUGIN_UNIX_SOCKET_DIR="+h.run+"/")) && alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (h *house) catalog() *platform.Catalog {
	h.t.Helper()
	c, err := platform.NewCatalog(h.hold)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *house) lock() {
	h.t.Helper()
	if _, err := h.catalog().Lock(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// setup is what the fault plugin is configured with.
func setup() platform.Setup {
	return platform.Setup{
		HostVersion: "0.1.0", InstallationID: "installation-1",
		Decode: func(_ string, s schema.Schema) ([]byte, error) {
			if len(s.Block.Attributes) != 1 || s.Block.Attributes[0].Name != "greeting" {
				return nil, fmt.Errorf("unexpected schema %+v", s)
			}
			return []byte(`{"greeting":"hello"}`), nil
		},
	}
}

// supervise starts a supervisor of the platform "one".
func (h *house) supervise(change ...func(*platform.SupervisorConfig)) *platform.Supervisor {
	h.t.Helper()
	config := platform.SupervisorConfig{
		Catalog: h.catalog(), Platforms: []platform.Spec{{Name: "one", Plugin: "fault"}}, Setup: setup(), Log: h.hold.Log,
	}
	for _, c := range change {
		c(&config)
	}
	s, err := platform.NewSupervisor(config)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			h.t.Errorf("close: %v", err)
		}
		for _, state := range s.States() {
			if state.Phase != platform.Stopped || state.PID != 0 {
				h.t.Errorf("after Close: %+v", state)
			}
		}
	})
	return s
}

// lines is a log to look at.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// eventually waits until is says true.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for !is() {
		select {
		case <-ticks.C:
		case <-limit.C:
			t.Fatalf("it did not come about that %s", what)
		}
	}
}

// freeze stops a process and waits until all its threads stand still.
func freeze(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all its threads stand still", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err == nil && bytes.Contains(stat, []byte(") T "))
	})
}

// alive says whether the process runs; one that ended and was not reaped does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !bytes.Contains(stat, []byte(") Z "))
}
