package platform_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/platform"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/schema"
)

// settled are times for upgrades.
func settled() platform.Times {
	return platform.Times{Settle: 300 * time.Millisecond, BackoffMin: 5 * time.Millisecond, BackoffMax: 20 * time.Millisecond}
}

// twoPlatforms are both of the fault plugin.
func twoPlatforms(c *platform.SupervisorConfig) {
	c.Platforms = []platform.Spec{{Name: "one", Plugin: "fault"}, {Name: "two", Plugin: "fault"}}
}

// running awaits all platforms and returns the versions that they run.
func running(t *testing.T, s *platform.Supervisor) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, name := range s.Names() {
		if _, err := s.Await(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	var versions []string
	for _, state := range s.States() {
		versions = append(versions, state.Platform+" "+state.Version)
	}
	return versions
}

// copyOf is the private copy of the binary with that checksum.
func (h *house) copyOf(sum string) string { return filepath.Join(h.dir, "plugins", sum, "fault") }

// neverTwo checks that no two processes drove one platform at a time.
func (h *house) neverTwo() {
	h.t.Helper()
	if overlaps := h.noted("overlaps"); len(overlaps) > 0 {
		h.t.Errorf("two processes of one platform: %v", overlaps)
	}
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.hold.Times = settled()
	h.lock()
	s := h.supervise(twoPlatforms)
	old := await(t, s)
	running(t, s)
	before := s.States()[0]
	unchanged, err := s.Upgrade(t.Context(), "fault")
	want := platform.UpgradeResult{
		Plugin: "fault", FromVersion: "1.2.3", ToVersion: "1.2.3",
		FromSHA256: before.SHA256, ToSHA256: before.SHA256, Unchanged: true,
	}
	if diff := cmp.Diff(want, unchanged); diff != "" || err != nil {
		t.Errorf("without anything new (-want +got):\n%s%v", diff, err)
	}

	h.bring("1.2.4")
	h.lock()
	waiting := make(chan error, 1)
	go func() { waiting <- second(probe(context.Background(), old, "wait")) }()
	result, err := s.Upgrade(t.Context(), "fault")
	if err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; !errors.Is(err, sdk.ErrPluginGone) {
		t.Errorf("the call under way: %v", err)
	}
	want = platform.UpgradeResult{
		Plugin: "fault", FromVersion: "1.2.3", ToVersion: "1.2.4",
		FromSHA256: before.SHA256, ToSHA256: s.States()[0].SHA256, Platforms: []string{"one", "two"},
	}
	if diff := cmp.Diff(want, result); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"one 1.2.4", "two 1.2.4"}, running(t, s)); diff != "" {
		t.Errorf("it runs (-want +got):\n%s", diff)
	}
	for _, state := range s.States() {
		if state.Starts != 2 || state.SHA256 == before.SHA256 {
			t.Errorf("after the upgrade: %+v", state)
		}
	}
	if _, err := probe(t.Context(), await(t, s), ""); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(h.copyOf(before.SHA256)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old copy is left: %v", err)
	}
	if strings.Contains(h.log.String(), "starts again") {
		t.Errorf("it counts as a failure:\n%s", h.log)
	}
	h.neverTwo()
}

// A new binary that is bad leaves the old one in charge, or the old one comes
// back, and the error says so.
func TestUpgradeToABadBinary(t *testing.T) {
	t.Parallel()
	script := func(text string) func(*house) {
		return func(h *house) { h.write("#!/bin/sh\n"+text+"\n", 0o755) }
	}
	mode := func(mode string) func(*house) {
		return func(h *house) { h.bring("1.2.4"); h.control("mode", "1.2.4 "+mode) }
	}
	tests := map[string]struct {
		bad     func(*house)
		says    []string
		stopped bool // the old process was
		locked  bool
	}{
		"missing":             {bad: func(h *house) { h.remove() }, says: []string{"there is no file"}},
		"wrong checksum":      {locked: true, bad: func(h *house) { h.bring("1.2.4") }, says: []string{"has sha256", "apm.lock.hcl pins", "run `apm plugin lock`"}},
		"other architecture":  {bad: func(h *house) { h.write("MZ..", 0o755) }, says: []string{"is built for windows"}},
		"other protocol":      {bad: script("echo '1|2|unix|/tmp/x|grpc|'; exec sleep 60"), says: []string{"speaks version 2 of the plugin protocol, this host speaks version 1", "upgrade the host"}},
		"other name":          {bad: mode("other-name"), says: []string{`calls itself "impostor"`}},
		"crashes at start":    {bad: mode("crash"), says: []string{"ended with exit code 3", "cannot find my feet"}},
		"refuses validation":  {bad: mode("refuse-validate"), says: []string{"refuses the configuration", "greeting: no longer polite enough"}},
		"refuses to be set":   {bad: mode("refuse"), says: []string{"refuses the configuration", "greeting: not polite enough"}, stopped: true},
		"dies in Configure":   {bad: mode("die-in-configure"), says: []string{"ended with exit code 4 while the host called configure"}, stopped: true},
		"platform is down":    {bad: mode("platform-down"), says: []string{"the daemon does not answer"}, stopped: true},
		"dies soon after":     {bad: mode("exit-soon"), says: []string{"ended with exit code 5"}, stopped: true},
		"becomes unhealthy":   {bad: mode("unhealthy"), says: []string{`platform "one": became unhealthy with it: not feeling well`}, stopped: true},
		"script without line": {bad: func(h *house) { h.write("echo hello\n", 0o755) }, says: []string{"begins with no #! line"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := developed(t)
			h.hold.Times = settled()
			if test.locked {
				h.hold.Plugins[0].Dev = false
				h.lock()
			}
			s := h.supervise(twoPlatforms)
			running(t, s)
			before := s.States()
			test.bad(h)
			_, err := s.Upgrade(t.Context(), "fault")
			says(t, err, append(test.says, `plugin "fault" was not upgraded`, "the old one, version 1.2.3, stays in charge")...)
			if diff := cmp.Diff([]string{"one 1.2.3", "two 1.2.3"}, running(t, s)); diff != "" {
				t.Errorf("it runs (-want +got):\n%s", diff)
			}
			for i, state := range s.States() {
				// What was not tried on the first is not tried on the second.
				if disturbed := state.PID != before[i].PID; disturbed != (test.stopped && i == 0) {
					t.Errorf("platform %s was disturbed: %v", state.Platform, disturbed)
				}
				if state.Phase != platform.Ready || state.SHA256 != before[i].SHA256 {
					t.Errorf("after it: %+v", state)
				}
			}
			if pid, err := probe(t.Context(), await(t, s), ""); err != nil || pid == "" {
				t.Errorf("the old one: %v", err)
			}
			h.neverTwo()
		})
	}
}

// A binary that is good on one platform and bad on another runs on none.
func TestUpgradeGoesBackEverywhere(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.hold.Times = settled()
	s := h.supervise(twoPlatforms)
	running(t, s)
	h.bring("1.2.4")
	h.control("mode", "1.2.4 refuse-two")
	_, err := s.Upgrade(t.Context(), "fault")
	says(t, err, `platform "two": its plugin refuses the configuration`, "version 1.2.3, stays in charge")
	if diff := cmp.Diff([]string{"one 1.2.3", "two 1.2.3"}, running(t, s)); diff != "" {
		t.Errorf("it runs (-want +got):\n%s", diff)
	}
	if starts := s.States()[0].Starts; starts != 3 {
		t.Errorf("platform one was started %d times: it did not have the new one", starts)
	}
	// The old one is started again as it is, whatever happens to it.
	h.control("mode", "")
	if _, err := s.Upgrade(t.Context(), "fault"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one 1.2.4", "two 1.2.4"}, running(t, s)); diff != "" {
		t.Errorf("it runs (-want +got):\n%s", diff)
	}
	h.neverTwo()
}

// A platform that is broken has nothing to lose.
func TestUpgradeOfABrokenOne(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.hold.Times = settled()
	h.control("mode", "1.2.3 crash")
	s := h.supervise()
	inPhase(t, s, platform.Broken)
	h.bring("1.2.4")
	result, err := s.Upgrade(t.Context(), "fault")
	if err != nil || result.ToVersion != "1.2.4" {
		t.Fatalf("%+v, %v", result, err)
	}
	if state := inPhase(t, s, platform.Ready); state.Version != "1.2.4" {
		t.Errorf("it runs %+v", state)
	}
}

// Restarts and upgrades do not come in each other's way, and Close ends both.
func TestUpgradeAlone(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.hold.Times = platform.Times{Settle: time.Hour}
	s := h.supervise()
	await(t, s)
	before := s.States()[0]
	h.bring("1.2.4")
	hasty, cancel := context.WithCancel(t.Context())
	var upgraded sync.WaitGroup
	upgraded.Go(func() {
		_, err := s.Upgrade(hasty, "fault")
		says(t, err, "goes on", "apm plugin list")
	})
	eventually(t, "the new one is on trial", func() bool {
		state := s.States()[0]
		return state.Phase == platform.Ready && state.Version == "1.2.4"
	})
	if _, err := os.Stat(h.copyOf(before.SHA256)); err != nil {
		t.Errorf("there is nothing to go back to: %v", err)
	}
	for what, err := range map[string]error{
		"Restart": s.Restart("one"), "Upgrade": second(s.Upgrade(t.Context(), "fault")),
	} {
		if deployment.CodeOf(err) != deployment.Conflict {
			t.Errorf("%s: %v", what, err)
		}
		says(t, err, `plugin "fault" is being upgraded`)
	}
	cancel()
	upgraded.Wait()
	if state := s.States()[0]; state.Phase != platform.Ready || state.Version != "1.2.4" {
		t.Errorf("whoever waited went away: %+v", state)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	_, err := s.Upgrade(t.Context(), "fault")
	says(t, err, "was not upgraded")
}

// Close leaves no new process that has not begun either.
func TestCloseWhileAnUpgradeBegins(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.hold.Times = settled()
	h.control("mode", "1.2.3 crash")
	s := h.supervise()
	inPhase(t, s, platform.Broken) // so that there is nothing else to wait for
	h.bring("1.2.4")
	h.control("mode", "1.2.4 hang")
	var upgraded sync.WaitGroup
	defer upgraded.Wait()
	upgraded.Go(func() {
		_, err := s.Upgrade(context.WithoutCancel(t.Context()), "fault")
		says(t, err, "was not upgraded")
	})
	eventually(t, "the new one is started", func() bool { return len(h.noted("hangs")) > 0 })
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, pid := range h.starts() {
		if alive(pid) {
			t.Errorf("plugin process %d is left", pid)
		}
	}
}

func TestUpgradeRefuses(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.hold.Plugins = append(h.hold.Plugins, platform.Plugin{Name: "idle", Path: "/bin/true", Dev: true})
	s := h.supervise()
	await(t, s)
	for plugin, want := range map[string]deployment.ErrorCode{"nobody": deployment.NotFound, "idle": deployment.Conflict} {
		if _, err := s.Upgrade(t.Context(), plugin); deployment.CodeOf(err) != want {
			t.Errorf("%s: %v", plugin, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	h.bring("1.2.4")
	if _, err := s.Upgrade(ended, "fault"); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits: %v", err)
	}
	if diff := cmp.Diff([]string{"one 1.2.3"}, running(t, s)); diff != "" {
		t.Errorf("it runs (-want +got):\n%s", diff)
	}
}

// What the new binary's schema does not take is found before anything is stopped.
func TestUpgradeDecodes(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.hold.Times = settled()
	var mu sync.Mutex
	broken := false
	s := h.supervise(func(c *platform.SupervisorConfig) {
		decode := c.Setup.Decode
		c.Setup.Decode = func(name string, s schema.Schema) ([]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			if broken {
				return nil, &deployment.Error{Code: deployment.Invalid, Message: `config.hcl:3: unknown key "greeting"`, Remedy: "remove it"}
			}
			return decode(name, s)
		}
	})
	await(t, s)
	before := s.States()[0]
	h.bring("1.2.4")
	mu.Lock()
	broken = true
	mu.Unlock()
	_, err := s.Upgrade(t.Context(), "fault")
	says(t, err, `config.hcl:3: unknown key "greeting"`, "remove it", "stays in charge")
	if now := s.States()[0]; now.PID != before.PID || now.Phase != platform.Ready {
		t.Errorf("it was disturbed: %+v", now)
	}
}

func TestUpgradeChanged(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.hold.Times = settled()
	h.lock()
	s := h.supervise()
	await(t, s)
	if results, err := s.UpgradeChanged(t.Context()); err != nil || len(results) != 0 {
		t.Errorf("nothing changed: %+v, %v", results, err)
	}
	h.bring("1.2.4")
	results, err := s.UpgradeChanged(t.Context())
	says(t, err, "has sha256", "stays in charge")
	if len(results) != 0 {
		t.Errorf("not locked: %+v", results)
	}
	h.lock()
	results, err = s.UpgradeChanged(t.Context())
	if err != nil || len(results) != 1 || results[0].ToVersion != "1.2.4" {
		t.Errorf("locked: %+v, %v", results, err)
	}
}

// What is pinned already, and does not run, is not called what runs; SIGHUP, which
// is about what changed, has nothing to say.
func TestUpgradeOfWhatDoesNotRun(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.hold.Times = settled()
	h.lock()
	h.control("mode", "crash")
	s := h.supervise()
	eventually(t, "it is broken", func() bool { return s.States()[0].Phase == platform.Broken })
	_, err := s.Upgrade(t.Context(), "fault")
	var e *deployment.Error
	if !errors.As(err, &e) || e.Code != deployment.Unavailable ||
		!strings.Contains(e.Message, "has the pinned binary already") || !strings.Contains(e.Message, `platform "one" is broken`) ||
		!strings.Contains(e.Remedy, "apm plugin restart one") {
		t.Errorf("got %v", err)
	}
	if results, err := s.UpgradeChanged(t.Context()); len(results) != 0 || err != nil {
		t.Errorf("UpgradeChanged: %v, %v", results, err)
	}
}
