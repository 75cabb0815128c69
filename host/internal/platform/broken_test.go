package platform_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/platform"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

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
			says(t, err, `platform "one" is broken: 5 starts in a row did not stay ready for 10s`, want, "apm plugin restart one")

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
