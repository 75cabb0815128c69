package platform_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/artifact"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/shim"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

func driftOf(e sdk.Event) bool { return e.Drift != nil }

// byHand starts a program as a person would, and ends it with the test.
func byHand(t *testing.T, dir string, command ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), command[0], command[1:]...)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end(cmd)
		_ = cmd.Wait() // it was killed
	})
	return cmd
}

// end kills it with all that it started.
func end(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // gone already will do

func listenOn(t *testing.T, address string) net.Listener {
	t.Helper()
	var listener net.Listener
	eventually(t, "the address is free", func() bool {
		var err error
		listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		return err == nil
	})
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// standing returns the drift that a watcher is told who has just come.
func (b *bed) standing(to sdk.Target) []sdk.Drift {
	b.t.Helper()
	var found []sdk.Drift
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	_ = b.WatchTarget(ctx, sdk.WatchTargetRequest{Target: to}, func(events ...sdk.Event) error { // it ends with its context
		for _, event := range events {
			if event.Drift != nil {
				found = append(found, *event.Drift)
			}
		}
		cancel()
		return nil
	})
	return found
}

// files is an artifact with a program and a content.
func (b *bed) files(content string) spec {
	b.t.Helper()
	dir := b.t.TempDir()
	program, err := exec.LookPath("sleep")
	if err != nil {
		b.t.Fatal(err)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		b.t.Fatal(err)
	}
	write(b.t, filepath.Join(dir, "sleep"), string(data), 0o755)
	write(b.t, filepath.Join(dir, "run"), "#!/bin/sh\nwhile ./sleep 1000; do :; done\n", 0o755)
	write(b.t, filepath.Join(dir, "content"), content, 0o644)
	s := b.app()
	s["artifact"], s["port"], s["stop_timeout"] = dir, map[string]any{}, "1s"
	return s
}

// kept returns the directory of the files that serve.
func (b *bed) kept() string {
	b.t.Helper()
	return artifact.Store{Dir: state.ArtifactsOf(b.dir())}.Files(b.component().Serving.Release.Artifact)
}

// Somebody who starts the command of a component by hand is told of, by name, also
// to those who come later.
func TestAProcessStartedByHandIsDrift(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spec   func(b *bed) spec
		byHand func(b *bed) *exec.Cmd
	}{
		"the same command": {
			// One that no other test runs, whose shim would tell of it too.
			func(b *bed) spec { return b.app("version=alone") },
			func(b *bed) *exec.Cmd {
				return byHand(b.t, b.t.TempDir(), b.app("version=alone")["command"].([]string)...)
			},
		},
		"a program of the artifact": {
			func(b *bed) spec {
				s := b.files("one")
				s["command"] = []string{"./sleep", "1000"}
				return s
			},
			func(b *bed) *exec.Cmd { return byHand(b.t, "/", filepath.Join(b.kept(), "sleep"), "2000") },
		},
		"a script of the artifact": {
			func(b *bed) spec {
				s := b.files("one")
				s["command"] = []string{"./run"}
				return s
			},
			func(b *bed) *exec.Cmd { return byHand(b.t, b.kept(), "/bin/sh", "./run") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			w := b.settled("v1", tc.spec(b))
			events, stop := b.watchTarget(w.target, nil)
			defer stop()
			cmd := tc.byHand(b)
			drift := untilEvent(t, events, "drift", func(e sdk.Event) bool {
				return e.Drift != nil && strings.Contains(e.Drift.Message, "pid "+strconv.Itoa(cmd.Process.Pid)+" ")
			}).Drift
			if !strings.HasPrefix(drift.By, "user ") || drift.Revision != "v1" || drift.Undone || !strings.Contains(drift.Message, "not started by APM") {
				t.Errorf("drift %+v", drift)
			}
			if found := b.standing(w.target); len(found) == 0 || found[0] != *drift {
				t.Errorf("who comes later is told %+v", found)
			}
			end(cmd)
			eventually(t, "it is forgotten", func() bool { return len(b.standing(w.target)) == 0 })
		})
	}
}

// Who brings back what was rolled back undoes the rollback.
func TestDriftThatUndoesARollback(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(b *bed, rolledBack string)
		undone bool
	}{
		"a program of the version that was rolled back": {func(b *bed, rolledBack string) {
			byHand(b.t, "/", filepath.Join(rolledBack, "sleep"), "2000")
		}, true},
		"a program of what serves": {func(b *bed, _ string) {
			byHand(b.t, "/", filepath.Join(b.kept(), "sleep"), "2000")
		}, false},
		"the files of the version that was rolled back": {func(b *bed, _ string) {
			write(b.t, filepath.Join(b.kept(), "content"), "two", 0o644)
		}, true},
		"other files": {func(b *bed, _ string) {
			write(b.t, filepath.Join(b.kept(), "content"), "three", 0o644)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			command := []string{"./sleep", "1000"}
			one, two := b.files("one"), b.files("two")
			one["command"], two["command"] = command, command
			w := b.settled("v1", one)
			before, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: w.target})
			if err != nil {
				t.Fatal(err)
			}
			b.settled("v2", two)
			rolledBack := b.kept()
			if o := b.rollback(w.target, before.Snapshot).outcome(); o.Result != sdk.ResultSucceeded {
				t.Fatalf("rollback: %+v", o)
			}
			b.killShim() // it knows of the rollback from its state alone
			events, stop := b.watchTarget(w.target, nil)
			defer stop()
			tc.change(b, rolledBack)
			if drift := untilEvent(t, events, "drift", driftOf).Drift; drift.Undone != tc.undone || drift.Revision != "v1" {
				t.Errorf("drift %+v, want undone %v", drift, tc.undone)
			}
		})
	}
}

// A stranger on the public address is drift, and the address is taken back as soon
// as he leaves it.
func TestAStrangerOnThePublicAddressIsDrift(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	w := b.settled("v1", b.app("version=v1"))
	b.killShim()
	stranger := listenOn(t, b.public)
	events, stop := b.watchTarget(w.target, nil)
	defer stop()
	drift := untilEvent(t, events, "drift", driftOf).Drift
	if !strings.Contains(drift.By, "pid "+strconv.Itoa(os.Getpid())) || !strings.Contains(drift.Message, b.public) {
		t.Errorf("drift %+v", drift)
	}
	if err := stranger.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "v1 serves again", func() bool { return get(t, b.public, "/") == "v1" })
}

// A stranger on the port of an instance gets no traffic.
func TestAStrangerInThePlaceOfAnInstance(t *testing.T) {
	t.Parallel()
	told := func(b *bed, w *watched) {
		b.t.Helper()
		events, stop := b.watchTarget(w.target, nil)
		defer stop()
		drift := untilEvent(b.t, events, "drift", driftOf).Drift
		if !strings.Contains(drift.By, "pid "+strconv.Itoa(os.Getpid())) || !strings.Contains(drift.Message, "in the place of instance 1-1") {
			b.t.Errorf("drift %+v", drift)
		}
		result, err := b.Probe(b.t.Context(), sdk.ProbeRequest{Target: w.target})
		if err != nil || result.Checks[0].Status != sdk.CheckUnhealthy || !strings.Contains(result.Checks[0].Message, "has its port") {
			b.t.Errorf("Probe: %+v %v", result, err)
		}
		if got := get(b.t, b.public, "/"); !strings.Contains(got, "no instance") {
			b.t.Errorf("the public address answers %q", got)
		}
	}
	t.Run("while it lives", func(t *testing.T) {
		t.Parallel()
		b := newBed(t)
		w := b.settled("v1", b.app("version=v1"))
		address := b.ownAddress()
		get(t, address, "/deaf")
		serveStranger(t, listenOn(t, address))
		told(b, w)
	})
	t.Run("while it starts again", func(t *testing.T) {
		t.Parallel()
		b := newBed(t)
		hold := filepath.Join(t.TempDir(), "hold")
		w := b.settled("v1", b.app("version=v1", "hold="+hold))
		address := b.ownAddress()
		write(t, hold, "", 0o600)
		get(t, address, "/exit")
		serveStranger(t, listenOn(t, address))
		told(b, w)
		if err := os.Remove(hold); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it serves at another port", func() bool { return get(t, b.public, "/") == "v1" })
	})
}

// serveStranger accepts and says nothing.
func serveStranger(t *testing.T, listener net.Listener) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("the stranger stays")
		}
	})
}

// ownAddress returns where the first instance of the first release listens.
func (b *bed) ownAddress() string {
	b.t.Helper()
	for _, p := range procinfo.Marked(shim.Claim(b.dir()) + "-1-1") {
		if port := variable(p.PID, "PORT"); port != "" {
			return "127.0.0.1:" + port
		}
	}
	b.t.Fatal("no instance runs")
	return ""
}

// variable reads the environment that a process began with.
func variable(pid int, name string) string {
	environ, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return ""
	}
	for _, entry := range strings.Split(string(environ), "\x00") {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
