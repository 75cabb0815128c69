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

// A plugin that is frozen is found and killed within 5 s, and the next one takes
// over.
func TestPluginFrozen(t *testing.T) {
	t.Parallel()
	h := developed(t)
	s := h.supervise()
	old := await(t, s)
	pid := s.States()[0].PID
	freeze(t, pid)
	frozen := time.Now()
	if _, err := probe(t.Context(), old, ""); !errors.Is(err, sdk.ErrPluginGone) {
		t.Errorf("the call under way: %v", err)
	}
	eventually(t, "it is gone", func() bool { return !alive(pid) })
	if took := time.Since(frozen); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	eventually(t, "another process is ready", func() bool {
		state := s.States()[0]
		return state.Phase == platform.Ready && state.PID != pid
	})
	if !strings.Contains(h.log.String(), "did not answer for 3s and was killed") {
		t.Errorf("the log does not say why:\n%s", h.log)
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
