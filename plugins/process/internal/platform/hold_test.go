package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/artifact"
	"github.com/apm-deploy/apm/plugins/process/internal/platform"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// A row of attempts that fail does not push out what can be rolled back to.
func TestFailedAttemptsKeepWhatServed(t *testing.T) {
	t.Parallel()
	b := newBed(t) // keep = 2
	artifactOf := func(name, content string) spec {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "content"), content, 0o644)
		s := b.app("version=" + name)
		s["artifact"] = dir
		return s
	}
	w := b.settled("v1", artifactOf("v1", "one"))
	first, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: w.target})
	if err != nil {
		t.Fatal(err)
	}
	b.settled("v2", artifactOf("v2", "two"))
	var last string
	for n := range 3 {
		s := artifactOf(fmt.Sprint("bad", n), fmt.Sprint("bad ", n))
		s["command"] = append(s["command"].([]string), "exit=3")
		if o := b.deploy(fmt.Sprint("bad", n), s, false).outcome(); o.Result != sdk.ResultFailed {
			t.Fatalf("attempt %d: %+v", n, o)
		}
		last = b.component().Tried
	}
	store := artifact.Store{Dir: state.ArtifactsOf(b.dir())}
	if _, err := store.Manifest(last); err != nil || last == "" {
		t.Errorf("the newest attempt cannot be tried again: %q %v", last, err)
	}
	eventually(t, "only the artifacts of v1, v2 and the newest attempt are kept", func() bool { // pruned after the outcome
		kept, err := filepath.Glob(filepath.Join(store.Dir, "*", "files"))
		return err == nil && len(kept) == 3
	})
	if o := b.rollback(w.target, first.Snapshot).outcome(); o.Result != sdk.ResultSucceeded {
		t.Errorf("rollback to what served before the attempts: %+v", o)
	}
}

// edit changes the state file of a component whose shim does not run.
func (b *bed) edit(change func(st map[string]any)) {
	b.t.Helper()
	file := filepath.Join(b.dir(), state.FileName)
	data, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	var st map[string]any
	if err := json.Unmarshal(data, &st); err != nil {
		b.t.Fatal(err)
	}
	change(st)
	write(b.t, file, string(mustJSON(b.t, st)), 0o600)
}

// A word of the host that came before the shim was killed holds: nothing is begun
// in order to be stopped, which could fail.
func TestStoppedBeforeAKillIsNotStartedAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		key   string
		value any
		want  sdk.Result
	}{
		"cancelled":  {"cancelled", true, sdk.ResultCancelled},
		"superseded": {"superseded_by", "another", sdk.ResultSuperseded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.settled("v1", b.app("version=v1"))
			s := b.app("version=v2")
			address := freeAddress(t)
			s["port"].(map[string]any)["more"] = map[string]any{"listen": address, "protocol": "http"}
			s["command"] = []string{"/bin/sh", "-c", b.both("v2")}
			w := b.deploy("v2", s, true)
			w.candidate(0)
			b.killShim()
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
			switch {
			case err == nil:
				t.Cleanup(func() { _ = listener.Close() })
			case !errors.Is(err, syscall.EADDRINUSE): // then somebody else has it, which will do
				t.Fatal(err)
			}
			b.edit(func(st map[string]any) {
				operations := st["operations"].([]any)
				operations[len(operations)-1].(map[string]any)[tc.key] = tc.value
			})
			again := b.watch(w.op, w.target, w.handle)
			if o := again.outcome(); o.Result != tc.want {
				t.Errorf("outcome %+v, want result %d", o, tc.want)
			}
			eventually(t, "v1 serves", func() bool { return get(t, b.public, "/") == "v1" })
		})
	}
}

// both is a script of two servers, one for each of two ports.
func (b *bed) both(version string) string {
	self := b.app()["command"].([]string)[0]
	return fmt.Sprintf("%[1]s app version=%[2]s & PORT=$PORT_MORE exec %[1]s app version=%[2]s", self, version)
}

// What could not be written is written as soon as it can be.
func TestStateIsWrittenOnceItCanBe(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.settled("v1", b.app("version=v1"))
	file := filepath.Join(b.dir(), state.FileName)
	old := b.component().Processes[0].PID
	if err := os.Rename(file, file+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(file, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	get(t, b.public, "/exit")
	eventually(t, "the instance is back", func() bool { return get(t, b.public, "/") == "v1" })
	eventually(t, "the shim says that it cannot write", func() bool {
		log, err := os.ReadFile(filepath.Join(b.dir(), "shim.log"))
		return err == nil && strings.Contains(string(log), "state could not be saved")
	})
	if err := os.RemoveAll(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".old", file); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the state names the new process", func() bool {
		st := b.component()
		return len(st.Processes) == 1 && st.Processes[0].PID != old
	})
}

// A percent is told when it is in force, and not when it was asked for.
func TestPercentIsToldWhenItIsInForce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.settled("v1", b.app("version=v1"))
	hold := filepath.Join(t.TempDir(), "hold")
	w := b.deploy("v2", b.app("version=v2", "hold="+hold), true)
	candidate := w.candidate(0)
	write(t, hold, "", 0o600)
	get(t, candidate.Addresses["http"], "/exit")
	w.until("an instance that is down", func(e sdk.Event) bool { return e.Resource != nil && e.Resource.Health == sdk.ResourceFailed })
	w.promote(50)
	w.promote(50)
	fresh := b.watch(w.op, w.target, w.handle)
	first := fresh.until("State", func(e sdk.Event) bool { return e.State != nil })
	if c := first.State.Candidate; c == nil || c.Percent != 0 {
		t.Errorf("State while the candidate is down: %+v, want 0 %%", c)
	}
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	w.candidate(50)
	for _, event := range w.all[:len(w.all)-1] {
		if event.Candidate != nil && event.Candidate.Percent == 50 {
			t.Errorf("told before the candidate was up again: %+v", event.Candidate)
		}
	}
	w.cancel()
	w.outcome()
}

// One component that hangs does not keep the others from coming back.
func TestComponentsComeBackSideBySide(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.settled("v1", b.app("version=v1"))
	hangs := b.component().Shim.PID
	other := freeAddress(t)
	s := b.app("version=other")
	s["port"] = map[string]any{"http": map[string]any{"listen": other, "protocol": "http"}}
	to, r := b.resolve("v1", s)
	to.Component = "xylophone" // after "web", should they come one after the other
	op := b.operation(sdk.OperationDeploy, false)
	if _, err := b.Deploy(t.Context(), sdk.DeployRequest{Operation: op, Target: to, Release: r}); err != nil {
		t.Fatal(err)
	}
	b.watch(op, to, sdk.Handle{}).outcome()
	dir := filepath.Join(filepath.Dir(b.dir()), to.Component)
	st, err := state.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	signal(t, hangs, syscall.SIGSTOP)
	t.Cleanup(func() { signal(t, hangs, syscall.SIGCONT) })
	signal(t, st.Shim.PID, syscall.SIGKILL)
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	p := platform.New(slog.New(slog.DiscardHandler))
	config := mustJSON(t, map[string]any{"state_dir": b.stateDir, "keep": 2})
	if diags, err := p.Configure(ctx, sdk.ConfigureRequest{Config: config, InstallationID: "inst-1"}); err != nil || diags.HasErrors() {
		t.Fatalf("Configure: %v %v", diags, err)
	}
	if now, err := state.Load(dir); err != nil || now.Shim.PID == st.Shim.PID {
		t.Errorf("the other component was not brought back: %v", err)
	}
	eventually(t, "it serves", func() bool { return get(t, other, "/") == "other" })
}

func signal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Errorf("signal %v: %v", s, err)
	}
}
