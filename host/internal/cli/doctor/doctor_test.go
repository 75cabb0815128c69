package doctor_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/app"
	"github.com/apm-deploy/apm/host/internal/cli/doctor"
	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// platform is one that only goes back.
type platform struct {
	sdk.Platform
	got     []sdk.RollbackRequest
	outcome *sdk.Outcome
}

func (p *platform) Rollback(_ context.Context, r sdk.RollbackRequest) (sdk.Handle, error) {
	p.got = append(p.got, r)
	return sdk.Handle{Version: 1, State: []byte("h")}, nil
}

func (p *platform) Watch(_ context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
	if string(r.Handle.State) != "h" {
		return errors.New("another handle")
	}
	if err := sink(sdk.Event{State: &sdk.State{}}); err != nil || p.outcome == nil {
		return err
	}
	return sink(sdk.Event{Outcome: p.outcome})
}

var item = sdk.InventoryItem{InstallationID: "i", Application: "shop", Environment: "test", Component: "web", Version: "v1", Epoch: 7, OperationID: "o"}

func TestUndoRollsBackToNothingUnderAHigherEpoch(t *testing.T) {
	t.Parallel()
	p := &platform{outcome: &sdk.Outcome{Result: sdk.ResultSucceeded}}
	if err := doctor.Undo(t.Context(), p, item); err != nil {
		t.Fatal(err)
	}
	if len(p.got) != 1 {
		t.Fatalf("%d rollbacks", len(p.got))
	}
	r := p.got[0]
	if r.Operation.Epoch != 8 || r.Operation.Kind != sdk.OperationRollback || r.Operation.ID == "" || r.Operation.ID == item.OperationID || !r.Snapshot.Empty {
		t.Errorf("operation %+v, snapshot %+v", r.Operation, r.Snapshot)
	}
	want := sdk.Target{Application: "shop", Environment: "test", Component: "web", Version: "v1"}
	if diff := cmp.Diff(want, r.Target); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
}

func TestUndoTellsWhatWentWrong(t *testing.T) {
	t.Parallel()
	for name, outcome := range map[string]*sdk.Outcome{
		"without an outcome": nil, "failed": {Result: sdk.ResultFailed, Message: "still there"},
	} {
		if err := doctor.Undo(t.Context(), &platform{outcome: outcome}, item); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestHostsAreRecognised(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"bin/apm serve":                         true,
		"bin/apm --data-dir /x serve":           true,
		"bin/apm --config-file=c.hcl serve":     true,
		"bin/apm deploy list":                   false,
		"bin/apm deploy start --name my-server": false,
		"bin/apm":                               false,
	} {
		if got := doctor.Serves(strings.Fields(line)); got != want {
			t.Errorf("%q serves: %v", line, got)
		}
	}
}

func TestDataDirOfAProcess(t *testing.T) {
	t.Parallel()
	proc, cwd := t.TempDir(), t.TempDir()
	check(t, os.WriteFile(filepath.Join(cwd, "config.hcl"), []byte(`host { data_dir = "/from/config" }`), 0o600))
	check(t, os.Symlink(cwd, filepath.Join(proc, "cwd")))
	if got := doctor.DataDirOf(proc, []string{"apm", "serve"}); got != "/from/config" {
		t.Errorf("by config.hcl: %q", got)
	}
	check(t, os.WriteFile(filepath.Join(cwd, "config.hcl"), []byte(`host { data_dir = "~/data" }`), 0o600))
	check(t, os.WriteFile(filepath.Join(proc, "environ"), []byte("HOME=/home/theirs\x00"), 0o600))
	if got := doctor.DataDirOf(proc, []string{"apm", "serve"}); got != "/home/theirs/data" {
		t.Errorf("by config.hcl in another home: %q", got)
	}
	check(t, os.WriteFile(filepath.Join(proc, "environ"), []byte("A=b\x00APM_DATA_DIR=/from/environment\x00"), 0o600))
	if got := doctor.DataDirOf(proc, []string{"apm", "serve"}); got != "/from/environment" {
		t.Errorf("by environment: %q", got)
	}
	if got := doctor.DataDirOf(proc, []string{"apm", "--data-dir", "/from/flag", "serve"}); got != "/from/flag" {
		t.Errorf("by flag: %q", got)
	}
}

// A host with another HOME keeps its data elsewhere than its config.hcl, read
// here, would say: the database that it has open tells.
func TestDataDirOfAProcessByItsOpenDatabase(t *testing.T) {
	t.Parallel()
	process, data := t.TempDir(), t.TempDir()
	check(t, os.Mkdir(filepath.Join(process, "fd"), 0o700))
	check(t, os.Symlink("/dev/null", filepath.Join(process, "fd", "0")))
	check(t, os.Symlink(filepath.Join(data, "apm.db-wal"), filepath.Join(process, "fd", "1")))
	check(t, os.Symlink(filepath.Join(data, "apm.db"), filepath.Join(process, "fd", "2")))
	if got := doctor.DataDirOf(process, []string{"apm", "--data-dir", "data", "serve"}); got != data {
		t.Errorf("got %q, want %q", got, data)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// byCheck returns the worst finding of each check.
func byCheck(findings []doctor.Finding) map[string]doctor.Finding {
	found := map[string]doctor.Finding{}
	for _, f := range findings {
		if known, ok := found[f.Check]; !ok || known.State == doctor.OK {
			found[f.Check] = f
		}
	}
	return found
}

func TestExamineWithoutAnything(t *testing.T) {
	t.Parallel()
	c := doctor.Config{ConfigErr: &deployment.Error{Code: deployment.Invalid, Message: "config.hcl is not valid", Remedy: "mend it"}, DataDir: filepath.Join(t.TempDir(), "none")}
	findings := c.Examine(t.Context())
	if doctor.Worst(findings) != doctor.Fail {
		t.Errorf("findings %+v", findings)
	}
	found := byCheck(findings)
	if f := found["config"]; f.State != doctor.Fail || f.Remedy != "mend it" {
		t.Errorf("config: %+v", f)
	}
	for _, name := range []string{"data directory", "token", "host", "clock"} {
		if f := found[name]; f.State != doctor.OK {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestExamineFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	check(t, os.Chmod(dir, 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "token"), []byte("a.b"), 0o644))
	var listen net.ListenConfig
	taken, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	defer taken.Close()
	config := load(t, dir, taken.Addr().String())
	found := byCheck(doctor.Config{Config: config, DataDir: dir}.Examine(t.Context()))
	for name, want := range map[string]doctor.State{
		"config": doctor.OK, "data directory": doctor.Warn, "token": doctor.Fail, "port": doctor.Fail, "plugin process": doctor.Fail,
	} {
		if f := found[name]; f.State != want || (want != doctor.OK && f.Remedy == "") {
			t.Errorf("%s: %+v, want %s with a remedy", name, f, want)
		}
	}
}

func load(t *testing.T, dataDir, listen string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.hcl")
	text := `host { data_dir = "` + dataDir + `" }
server { listen = "` + listen + `" }
plugin "process" { path = "no-such-plugin" }
deployment {}
`
	check(t, os.WriteFile(path, []byte(text), 0o600))
	c, err := config.Load(path)
	check(t, err)
	return c
}

// A host that answers owns its installation: nothing of it is listed, and
// naming it is refused.
func TestLiveInstallationIsNotTouched(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(apiv1.Health{Status: "ok", PID: 4711, Installation: "alive"})
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })

	dir := t.TempDir()
	data, err := json.Marshal(app.Running{PID: 4711, URL: "http://" + listener.Addr().String()})
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, app.HostFile), data, 0o600))
	c := doctor.Config{Config: load(t, dir, "localhost:0"), DataDir: dir}
	_, err = c.Find(t.Context(), "alive")
	var e *deployment.Error
	if !errors.As(err, &e) || e.Code != deployment.Conflict || !strings.Contains(e.Remedy, "kill 4711") {
		t.Errorf("find: %v", err)
	}
}

// TestHostThatEndsIsWaitedFor: a process that looks like a host, and cannot be
// asked, is gone a moment later.
func TestHostThatEndsIsWaitedFor(t *testing.T) {
	const variable = "APM_TEST_HOST_ENDS"
	if os.Getenv(variable) != "" {
		_, _ = fmt.Fprintln(os.Stdout, "runs")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("other systems do not tell what runs")
	}
	t.Parallel()
	self, err := os.Executable()
	check(t, err)
	host := exec.CommandContext(t.Context(), self, "-test.run=^TestHostThatEndsIsWaitedFor$", "serve") //nolint:gosec // it is this test
	host.Env = append(os.Environ(), variable+"=1")
	end, err := host.StdinPipe()
	check(t, err)
	says, err := host.StdoutPipe()
	check(t, err)
	check(t, host.Start())
	_, err = bufio.NewReader(says).ReadString('\n')
	check(t, err)
	ended := make(chan error, 1)
	time.AfterFunc(500*time.Millisecond, func() {
		_ = end.Close()
		ended <- host.Wait()
	})
	dir := t.TempDir()
	c := doctor.Config{Config: load(t, dir, "localhost:0"), DataDir: dir}
	_, err = c.Find(t.Context(), "ended")
	var e *deployment.Error
	if errors.As(err, &e) && e.Code == deployment.Conflict {
		t.Errorf("it was not waited for: %v", err)
	}
	check(t, <-ended)
}
