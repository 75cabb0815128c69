package platform_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/platform"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// brisk are times for tests of what fails.
func brisk() platform.Times {
	return platform.Times{BackoffMin: 5 * time.Millisecond, BackoffMax: 20 * time.Millisecond}
}

// developed is a house whose plugin needs no lock.
func developed(t *testing.T) *house {
	t.Helper()
	h := newHouse(t)
	h.hold.Plugins[0].Dev = true
	return h
}

func await(t *testing.T, s *platform.Supervisor) sdk.Platform {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got, err := s.Await(ctx, "one")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// inPhase waits for a phase of the platform "one".
func inPhase(t *testing.T, s *platform.Supervisor, phase platform.Phase) platform.State {
	t.Helper()
	var state platform.State
	eventually(t, "the platform is "+string(phase), func() bool {
		state = s.States()[0]
		return state.Phase == phase
	})
	return state
}

func probe(ctx context.Context, p sdk.Platform, component string) (string, error) {
	result, err := p.Probe(ctx, sdk.ProbeRequest{Target: sdk.Target{Component: component}})
	return result.Revision, err
}

func TestSupervisor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.lock()
	var mu sync.Mutex
	var phases []platform.Phase
	s := h.supervise(func(c *platform.SupervisorConfig) {
		c.Changed = func(state platform.State) {
			mu.Lock()
			defer mu.Unlock()
			if len(phases) == 0 || phases[len(phases)-1] != state.Phase {
				phases = append(phases, state.Phase)
			}
		}
	})
	got := await(t, s)
	pid, err := probe(t.Context(), got, "")
	if err != nil {
		t.Fatal(err)
	}
	state := inPhase(t, s, platform.Ready)
	if fmt.Sprint(state.PID) != pid || state.Version != "1.2.3" || state.Plugin != "fault" || len(state.SHA256) != 64 || state.Starts != 1 {
		t.Errorf("got %+v, the plugin's pid is %s", state, pid)
	}
	if again, err := s.Get("one"); err != nil || again != got {
		t.Errorf("Get: %v, %v", again, err)
	}
	if d, err := s.Describe("one"); err != nil || d.Name != "fault" {
		t.Errorf("Describe: %+v, %v", d, err)
	}
	if diff := cmp.Diff([]string{"one"}, s.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for what, err := range map[string]error{
		"Get":      second(s.Get("two")),
		"Await":    second(s.Await(t.Context(), "two")),
		"Describe": second(s.Describe("two")),
		"Restart":  s.Restart("two"),
	} {
		if deployment.CodeOf(err) != deployment.NotFound {
			t.Errorf("%s: %v", what, err)
		}
		says(t, err, `"two"`, "known platforms: one")
	}
	for _, part := range []string{"plugin=fault platform=one", "msg=configured", "answer=42", "platform_=another"} {
		if !strings.Contains(h.log.String(), part) {
			t.Errorf("the log does not have %q:\n%s", part, h.log)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	want := []platform.Phase{platform.Starting, platform.Ready, platform.Draining, platform.Stopped}
	if diff := cmp.Diff(want, phases); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	if _, err := s.Await(t.Context(), "one"); deployment.CodeOf(err) != deployment.Unavailable || !strings.Contains(err.Error(), `platform "one" is stopped`) {
		t.Errorf("Await after Close: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestPluginKilled(t *testing.T) {
	t.Parallel()
	h := developed(t)
	s := h.supervise()
	old := await(t, s)
	pid := s.States()[0].PID
	waiting := make(chan error, 1)
	go func() { waiting <- second(probe(context.Background(), old, "wait")) }()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	if err := <-waiting; !errors.Is(err, sdk.ErrPluginGone) {
		t.Errorf("the call under way: %v", err)
	}
	eventually(t, "another process is ready", func() bool {
		state := s.States()[0]
		return state.Phase == platform.Ready && state.PID != pid
	})
	if took := time.Since(killed); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, err := probe(t.Context(), old, ""); !errors.Is(err, sdk.ErrPluginGone) {
		t.Errorf("a call on the old platform: %v", err)
	}
	if _, err := probe(t.Context(), await(t, s), ""); err != nil {
		t.Errorf("a call on the new platform: %v", err)
	}
	if got := len(h.noted("configured")); got != 2 {
		t.Errorf("configured %d times", got)
	}
}

func TestPluginFrozen(t *testing.T) {
	t.Parallel()
	h := developed(t)
	s := h.supervise()
	old := await(t, s)
	pid := s.States()[0].PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	frozen := time.Now()
	eventually(t, "all its threads stand still", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err == nil && strings.Contains(string(stat), ") T ")
	})
	if _, err := probe(t.Context(), old, ""); !errors.Is(err, sdk.ErrPluginGone) {
		t.Errorf("the call under way: %v", err)
	}
	eventually(t, "another process is ready", func() bool {
		state := s.States()[0]
		return state.Phase == platform.Ready && state.PID != pid
	})
	if took := time.Since(frozen); took > 15*time.Second {
		t.Errorf("it took %v", took)
	}
	if !strings.Contains(h.log.String(), "did not answer for 5s and was killed") {
		t.Errorf("the log does not say why:\n%s", h.log)
	}
}

func TestCloseWhileFrozen(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.hold.Times = platform.Times{Drain: 100 * time.Millisecond, Stop: 200 * time.Millisecond, Ping: time.Hour}
	s := h.supervise()
	await(t, s)
	if err := syscall.Kill(s.States()[0].PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestCloseInAHurry(t *testing.T) {
	t.Parallel()
	h := developed(t)
	s := h.supervise()
	await(t, s)
	if err := syscall.Kill(s.States()[0].PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestBrokenAfterFailures(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]string{
		"crash":            "cannot find my feet",
		"exit-soon":        "ended with exit code 5",
		"die-in-configure": "ended with exit code 4 while the host called configure",
		"refuse-error":     "the platform does not know us",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			h := developed(t)
			h.hold.Times = brisk()
			h.control("mode", mode)
			s := h.supervise()
			state := inPhase(t, s, platform.Broken)
			if state.Starts != 5 || len(h.starts()) != 5 {
				t.Errorf("%d starts, %d processes", state.Starts, len(h.starts()))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, err := s.Await(ctx, "one")
			if !errors.Is(err, context.DeadlineExceeded) || deployment.CodeOf(err) != deployment.Unavailable {
				t.Errorf("Await: %v", err)
			}
			_, err = s.Get("one")
			says(t, err, `platform "one" is broken: 5 starts in a row did not stay ready for 10s`, want, "restart the platform")

			h.control("mode", "")
			if err := s.Restart("one"); err != nil {
				t.Fatal(err)
			}
			if _, err := probe(t.Context(), await(t, s), ""); err != nil {
				t.Error(err)
			}
		})
	}
}

// What only a person can mend is not tried again and again.
func TestMistakes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare func(*house)
		change  func(*platform.SupervisorConfig)
		starts  int
		says    []string
		mend    func(*house)
	}{
		"refused configuration": {
			prepare: func(h *house) { h.control("mode", "refuse") }, starts: 1,
			says: []string{"refuses the configuration", "greeting: not polite enough", "correct the block"},
			mend: func(h *house) { h.control("mode", "") },
		},
		"with its place": {
			prepare: func(h *house) { h.control("mode", "refuse") }, starts: 1,
			change: func(c *platform.SupervisorConfig) {
				c.Setup.Locate = func(_ string, d diag.Diagnostic) deployment.Problem {
					return deployment.Problem{Message: d.Summary, File: "config.hcl", Line: 7, Column: 3}
				}
			},
			says: []string{"config.hcl:7:3: not polite enough"},
		},
		"cannot be decoded": {
			change: func(c *platform.SupervisorConfig) {
				c.Setup.Decode = func(string, schema.Schema) ([]byte, error) {
					return nil, &deployment.Error{Code: deployment.Invalid, Message: "config.hcl:3: unknown key", Remedy: "remove it"}
				}
			},
			starts: 1, says: []string{"config.hcl:3: unknown key", "remove it"},
		},
		"not locked": {
			prepare: func(h *house) { h.hold.Plugins[0].Dev = false },
			says:    []string{"no checksum is pinned"},
			mend:    func(h *house) { h.lock() },
		},
		"wrong checksum": {
			prepare: func(h *house) { h.hold.Plugins[0].Dev = false; h.lock(); h.bring("1.2.4") },
			starts:  1, says: []string{"has sha256"}, // started by lock
			mend: func(h *house) { h.lock() },
		},
		"wrong version": {
			prepare: func(h *house) {
				h.hold.Plugins[0].Dev = false
				h.lock()
				content, err := os.ReadFile(h.hold.LockFile)
				if err != nil {
					t.Fatal(err)
				}
				h.writeLock(strings.ReplaceAll(string(content), "1.2.3", "1.0.0"))
			},
			starts: 2, says: []string{"says that it is version 1.2.3, the lock file says 1.0.0"},
		},
		"missing": {
			prepare: func(h *house) { _ = os.Remove(h.path()) },
			says:    []string{"there is no file"},
			mend:    func(h *house) { h.bring("1.2.3") },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := developed(t)
			h.hold.Times = brisk()
			if test.prepare != nil {
				test.prepare(h)
			}
			if test.change == nil {
				test.change = func(*platform.SupervisorConfig) {}
			}
			s := h.supervise(test.change)
			inPhase(t, s, platform.Broken)
			_, err := s.Get("one")
			says(t, err, append(test.says, `platform "one" is broken`)...)
			if got := len(h.starts()); got != test.starts {
				t.Errorf("%d processes were started, want %d", got, test.starts)
			}
			if test.mend == nil {
				return
			}
			test.mend(h)
			if err := s.Restart("one"); err != nil {
				t.Fatal(err)
			}
			await(t, s)
		})
	}
}

// A rebuild does not disturb a running host: what it restarts is what it ran.
func TestRebuildDoesNotDisturb(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.lock()
	s := h.supervise()
	await(t, s)
	before := s.States()[0]
	h.bring("1.2.4")
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is back", func() bool {
		now := s.States()[0]
		return now.Phase == platform.Ready && now.PID != before.PID
	})
	if now := s.States()[0]; now.Version != "1.2.3" || now.SHA256 != before.SHA256 {
		t.Errorf("after a crash: %+v", now)
	}
	h.lock()
	if err := s.Restart("one"); err != nil {
		t.Fatal(err)
	}
	await(t, s)
	if now := s.States()[0]; now.Version != "1.2.4" || now.SHA256 == before.SHA256 {
		t.Errorf("after a restart by hand: %+v", now)
	}
}

func TestPlatformHealth(t *testing.T) {
	t.Parallel()
	h := developed(t)
	s := h.supervise()
	got := await(t, s)
	h.control("health", "the daemon is down")
	state := inPhase(t, s, platform.Unhealthy)
	if diff := cmp.Diff(map[string]string{"seen": "yes"}, state.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if _, err := s.Get("one"); deployment.CodeOf(err) != deployment.Unavailable || !strings.Contains(err.Error(), "is unhealthy: the daemon is down") {
		t.Errorf("Get: %v", err)
	}
	if again := await(t, s); again != got {
		t.Error("Await gave another platform")
	}
	h.control("health", "")
	inPhase(t, s, platform.Ready)
}

func TestFloodOfLogLines(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.control("mode", "flood")
	s := h.supervise()
	await(t, s)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := h.log.String()
	if lines := strings.Count(text, "\n"); lines > 5000 {
		t.Errorf("%d lines reached the log", lines)
	}
	if !strings.Contains(text, "plugin log lines dropped") {
		t.Error("the log does not say that lines were dropped")
	}
	if output := s.States()[0].Output; len(output) != 50 {
		t.Errorf("%d lines were kept", len(output))
	}
}

// A platform that is not there is no reason to give its plugin up.
func TestPlatformDownAtStart(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.hold.Times = brisk()
	h.control("mode", "platform-down")
	s := h.supervise()
	eventually(t, "it was started more often than a crashing one would be", func() bool { return s.States()[0].Starts > 8 })
	if phase := s.States()[0].Phase; phase == platform.Broken {
		t.Error("the platform is broken")
	}
	h.control("mode", "")
	await(t, s)
}

// The second host of a data directory keeps what it runs and nothing else.
func TestOldCopiesArePruned(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.lock()
	old, err := h.catalog().Install(t.Context(), "fault")
	if err != nil {
		t.Fatal(err)
	}
	h.bring("1.2.4")
	h.lock()
	await(t, h.supervise())
	eventually(t, "the old copy is gone", func() bool {
		_, err := os.Stat(old.Path)
		return errors.Is(err, os.ErrNotExist)
	})
}

// Not parallel: it counts the descriptors of the process.
func TestNoDescriptorIsLeft(t *testing.T) {
	h := developed(t)
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	cycle := func(mode string) {
		h.control("mode", mode)
		_, stop, err := h.catalog().Once(t.Context(), platform.Spec{Name: "one", Plugin: "fault"}, setup())
		if (err != nil) != (mode != "") {
			t.Fatalf("mode %q: %v", mode, err)
		}
		if err == nil {
			err = stop()
		}
		if mode == "" && err != nil {
			t.Fatal(err)
		}
	}
	modes := []string{"", "crash", "stdout", "refuse", "die-in-configure"}
	for _, mode := range modes {
		cycle(mode) // whatever is opened once
	}
	before := count()
	for range 3 {
		for _, mode := range modes {
			cycle(mode)
		}
	}
	eventually(t, "the descriptors are closed", func() bool { return count() <= before })
}

func TestSupervisorRefuses(t *testing.T) {
	t.Parallel()
	h := developed(t)
	for says, specs := range map[string][]platform.Spec{
		"the name must be": {{Name: "../x", Plugin: "fault"}},
		"stands twice":     {{Name: "x", Plugin: "fault"}, {Name: "x", Plugin: "fault"}},
		`plugin "docker"`:  {{Name: "x", Plugin: "docker"}},
	} {
		_, err := platform.NewSupervisor(platform.SupervisorConfig{Catalog: h.catalog(), Platforms: specs, Setup: setup()})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want it to say %q", err, says)
		}
	}
}
