package platform_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/platform"
)

func TestCloseWhileFrozen(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.hold.Times = platform.Times{Drain: 100 * time.Millisecond, Stop: 200 * time.Millisecond, Ping: time.Hour}
	s := h.supervise()
	await(t, s)
	freeze(t, s.States()[0].PID)
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
	freeze(t, s.States()[0].PID)
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

// A plugin that stays when it is asked to go, whatever the signal, is killed.
func TestCloseWhileItStays(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.hold.Times = platform.Times{Drain: 100 * time.Millisecond}
	s := h.supervise()
	await(t, s)
	h.control("mode", "stay")
	began := time.Now()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if len(h.noted("stays")) != 1 {
		t.Error("it did not stay")
	}
}

// What a plugin started in its own group ends with it, however it ends.
func TestChildrenGoWithThePlugin(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *platform.Supervisor){
		"stopped": func(t *testing.T, s *platform.Supervisor) {
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"killed": func(t *testing.T, s *platform.Supervisor) {
			if err := syscall.Kill(s.States()[0].PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := developed(t)
			h.control("mode", "children")
			s := h.supervise()
			await(t, s)
			children := h.noted("children")
			h.control("mode", "")
			if len(children) != 3 {
				t.Fatalf("children: %v", children)
			}
			end(t, s)
			for _, child := range children {
				pid, err := strconv.Atoi(child)
				if err != nil {
					t.Fatal(err)
				}
				eventually(t, "the child is gone", func() bool { return !alive(pid) })
			}
		})
	}
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
