package platform_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/plugins/process/internal/platform"
	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/shim"
	"github.com/apm-deploy/apm/sdk"
)

func TestInventory(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	w := b.settled("v1", b.app("version=v1"))
	want := func(item sdk.InventoryItem) {
		t.Helper()
		if item.InstallationID != "inst-1" || item.Application != "shop" || item.Environment != "test" || item.Component != "web" ||
			item.Version != "v1" || item.Epoch != 1 || item.OperationID != w.op.ID || item.Since.IsZero() || !strings.Contains(item.Description, b.public) {
			t.Errorf("item %+v", item)
		}
	}
	other := b.configured("inst-2") // of all installations, from another
	items, err := other.Inventory(t.Context(), "")
	if err != nil || len(items) != 1 {
		t.Fatalf("%v %v", items, err)
	}
	want(items[0])
	if items, err := other.Inventory(t.Context(), "inst-2"); err != nil || len(items) != 0 {
		t.Errorf("of another installation: %v %v", items, err)
	}
	if err := os.RemoveAll(b.stateDir); err != nil { // somebody cleans up behind our back
		t.Fatal(err)
	}
	items, err = b.configured("inst-1").Inventory(t.Context(), "inst-1")
	if err != nil || len(items) != 1 {
		t.Fatalf("without the state directory: %v %v", items, err)
	}
	want(items[0])
	if o := b.rollback(target("v1", nil), sdk.Snapshot{Empty: true}).outcome(); o.Result != sdk.ResultSucceeded {
		t.Errorf("outcome %+v", o)
	}
}

// TestRecoverRightAfterTheStateIsRemoved must not start a second shim beside the
// one whose files were removed, and call the operation not started.
func TestRecoverRightAfterTheStateIsRemoved(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	w := b.settled("v1", b.app("version=v1"))
	before := b.component()
	if err := os.RemoveAll(b.stateDir); err != nil {
		t.Fatal(err)
	}
	recovery, err := b.Recover(t.Context(), sdk.RecoverRequest{Operation: w.op, Target: w.target})
	if err != nil || recovery.Status != sdk.RecoverFinished {
		t.Errorf("Recover: %+v %v", recovery, err)
	}
	if now := b.component(); now.Shim != before.Shim || now.Processes[0] != before.Processes[0] {
		t.Errorf("shim %+v with %v, want %+v with %v", now.Shim, now.Processes, before.Shim, before.Processes)
	}
	if got := get(t, b.public, "/"); got != "v1" {
		t.Errorf("got %q, want v1", got)
	}
}

func TestSocketDirectoryIsRestored(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.settled("v1", b.app("version=v1"))
	is := b.component().Shim
	if err := os.Remove(is.Socket); err != nil {
		t.Fatal(err)
	}
	probe, err := b.Probe(t.Context(), sdk.ProbeRequest{Target: target("v1", nil)})
	if err != nil || probe.Checks[0].Status != sdk.CheckHealthy {
		t.Errorf("probe %+v %v", probe, err)
	}
	if now := b.component().Shim; now != is {
		t.Errorf("shim %+v, want the same %+v", now, is)
	}
}

// TestStateOfThePreviousVersion has a new shim go on from a state of version 1.
func TestStateOfThePreviousVersion(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	w := b.settled("v1", b.app("version=v1"))
	b.killShim()
	file := filepath.Join(b.dir(), "state.json")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var st map[string]any
	if err := json.Unmarshal(data, &st); err != nil {
		t.Fatal(err)
	}
	at := st["shim"].(map[string]any)
	st["version"], st["pid"], st["start"], st["socket"] = 1, at["pid"], at["start"], at["socket"]
	st["operation"] = st["operations"].([]any)[0]
	delete(st, "shim")
	delete(st, "operations")
	write(t, file, string(mustJSON(t, st)), 0o600)
	recovery, err := b.Recover(t.Context(), sdk.RecoverRequest{Operation: w.op, Target: w.target, Handle: sdk.Handle{Version: 1, State: []byte(w.op.ID)}})
	if err != nil || recovery.Status != sdk.RecoverFinished {
		t.Fatalf("Recover: %+v %v", recovery, err)
	}
	eventually(t, "v1 serves again", func() bool { return get(t, b.public, "/") == "v1" })
	st["version"] = 99
	b.killShim()
	write(t, file, string(mustJSON(t, st)), 0o600)
	_, err = b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: w.target})
	wantCode(t, err, sdk.FailedPrecondition, sdk.ReasonConflict)
	st["version"] = 1
	write(t, file, string(mustJSON(t, st)), 0o600)
}

func TestEnvironmentOfAnInstance(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.app("version=v1")
	s["env"] = map[string]string{"GREETING": "hello", "HOME": "/elsewhere"}
	s["port"] = map[string]any{
		"http":     map[string]any{"listen": b.public, "protocol": "http"},
		"admin-ui": map[string]any{"listen": freeAddress(t), "protocol": "tcp"},
	}
	s["command"] = []string{"/bin/sh", "-c", s["command"].([]string)[0] + " app version=v1 & PORT=$PORT_ADMIN_UI exec " + s["command"].([]string)[0] + " app version=admin"}
	b.settled("v1", s)
	env := map[string]string{}
	for _, line := range strings.Split(get(t, b.public, "/env"), "\n") {
		key, value, _ := strings.Cut(line, "=")
		env[key] = value
	}
	for key, want := range map[string]string{
		"GREETING": "hello", "HOME": "/elsewhere", "APM_APPLICATION": "shop", "APM_ENVIRONMENT": "test",
		"APM_COMPONENT": "web", "APM_VERSION": "v1", "PORT": env["PORT_HTTP"],
	} {
		if env[key] != want || want == "" {
			t.Errorf("%s is %q, want %q", key, env[key], want)
		}
	}
	allowed := "PATH HOME TMPDIR LANG GREETING PORT PORT_HTTP PORT_ADMIN_UI APM_APPLICATION APM_ENVIRONMENT APM_COMPONENT APM_VERSION APM_INSTANCE PWD OLDPWD SHLVL _ "
	for key := range env {
		if !strings.Contains(allowed, key+" ") {
			t.Errorf("%s reached the instance", key)
		}
	}
}

// Programs differ in which of two variables of one name they take: there are no
// two. What the release says goes before what is inherited, our own before that.
func TestVariablesStandOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.app("version=v1")
	s["env"] = map[string]string{
		"PATH": "/nowhere", "HOME": "/elsewhere", "APM_COMPONENT": "mine", "PORT": "1", "APM_INSTANCE": "forged",
	}
	diags, err := b.Validate(t.Context(), nil, mustJSON(t, s))
	if err != nil || diags.HasErrors() || len(diags) != 2 {
		t.Errorf("Validate of variables without effect: %v %v, want two warnings", diags, err)
	}
	b.settled("v1", s)
	seen := map[string][]string{}
	for _, line := range strings.Split(get(t, b.public, "/env"), "\n") {
		key, value, _ := strings.Cut(line, "=")
		seen[key] = append(seen[key], value)
	}
	for key, want := range map[string]string{"PATH": "/nowhere", "HOME": "/elsewhere", "APM_COMPONENT": "mine"} {
		if fmt.Sprint(seen[key]) != "["+want+"]" {
			t.Errorf("%s is %q, want %q", key, seen[key], want)
		}
	}
	for _, key := range []string{"PORT", "APM_INSTANCE"} {
		if len(seen[key]) != 1 || seen[key][0] == s["env"].(map[string]string)[key] {
			t.Errorf("%s is %q, want our own", key, seen[key])
		}
	}
}

func TestTCPStaysWithItsRelease(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	args := func(version string) spec {
		s := b.app("version=" + version)
		s["port"] = map[string]any{"http": map[string]any{"listen": b.public, "protocol": "tcp"}}
		s["drain"] = "500ms"
		return s
	}
	b.settled("v1", args("v1"))
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", b.public)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	ask := func() (string, error) {
		if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return "", err
		}
		answer := ""
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return "", err
			}
			if strings.TrimSpace(line) == "" {
				break
			}
		}
		body := make([]byte, 2)
		_, err := in.Read(body)
		return answer + string(body), err
	}
	if got, err := ask(); err != nil || got != "v1" {
		t.Fatalf("%q %v", got, err)
	}
	w := b.deploy("v2", args("v2"), true)
	w.candidate(0)
	w.promote(50)
	w.candidate(50)
	if got, err := ask(); err != nil || got != "v1" { // the connection began there
		t.Errorf("%q %v, want v1", got, err)
	}
	w.promote(100)
	w.outcome()
	if _, err := ask(); err == nil {
		t.Error("the connection outlived drain and its release")
	}
	if got := get(t, b.public, "/"); got != "v2" {
		t.Errorf("a new connection answers %q, want v2", got)
	}
}

func TestAddressChangesWithTheRelease(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	old, fresh := b.public, freeAddress(t)
	b.settled("v1", b.app("version=v1"))
	b.public = fresh
	b.settled("v2", b.app("version=v2"))
	if got := get(t, fresh, "/"); got != "v2" {
		t.Errorf("the new address answers %q", got)
	}
	if got := get(t, old, "/"); !strings.Contains(got, "refused") {
		t.Errorf("the old address answers %q", got)
	}
}

func TestScaledToNothing(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.app("version=v1")
	s["replicas"] = 0
	b.settled("v1", s)
	probe, err := b.Probe(t.Context(), sdk.ProbeRequest{Target: target("v1", nil)})
	if err != nil || len(probe.Checks) != 2 || probe.Checks[0].Status != sdk.CheckHealthy {
		t.Errorf("probe %+v %v", probe, err)
	}
}

func TestPlanShowsAndChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.artifact("v1")
	s["env"] = map[string]string{"PASSWORD": "canary-secret"}
	b.settled("v1", s)
	before, err := b.Snapshot(t.Context(), sdk.SnapshotRequest{Target: target("v1", nil)})
	if err != nil {
		t.Fatal(err)
	}
	old := b.component().Processes
	s = b.artifact("v2")
	s["env"] = map[string]string{"PASSWORD": "canary-other"}
	to, r := b.resolve("v2", s)
	plan, err := b.Plan(t.Context(), sdk.PlanRequest{Kind: sdk.OperationDeploy, Target: to, Release: &r})
	if err != nil || plan.ObservedDigest != before.ObservedDigest || len(plan.Steps) != 3 {
		t.Fatalf("plan %+v %v", plan, err)
	}
	if !strings.Contains(plan.Steps[0].Diff, "-env.PASSWORD: sha256:") || !strings.Contains(plan.Steps[0].Command, "PASSWORD=… PORT=… ./bin/run") {
		t.Errorf("step %+v", plan.Steps[0])
	}
	back, err := b.Plan(t.Context(), sdk.PlanRequest{Kind: sdk.OperationRollback, Target: to, Snapshot: &before.Snapshot})
	if err != nil || len(back.Steps) != 0 || len(back.NotRestored) == 0 {
		t.Errorf("plan of a rollback to what runs: %+v %v", back, err)
	}
	shown := fmt.Sprintf("%+v %+v %+v %+v", plan, back, r.View, before.Snapshot.View)
	if strings.Contains(shown, "canary") {
		t.Errorf("a secret is shown: %s", shown)
	}
	if now := b.component().Processes; len(now) != 1 || now[0] != old[0] {
		t.Errorf("the plan changed something: %v", now)
	}
}

func TestConfigurationMistakes(t *testing.T) {
	tests := map[string]struct {
		config map[string]any
		home   string
		path   string
	}{
		"no home":      {map[string]any{}, "", "state_dir"},
		"unknown user": {map[string]any{"state_dir": "/tmp/x", "user": "no-such-user"}, "/root", "user"},
		"relative":     {map[string]any{"state_dir": "x"}, "/root", "state_dir"},
		"keep":         {map[string]any{"state_dir": "/tmp/x", "keep": 0}, "/root", "keep"},
		"log size":     {map[string]any{"state_dir": "/tmp/x", "log_size": "12 apples"}, "/root", "log_size"},
		"not writable": {map[string]any{"state_dir": "/proc/nothing"}, "/root", "state_dir"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HOME", test.home)
			t.Setenv("XDG_STATE_HOME", "")
			config := map[string]any{"state_dir": "", "user": "", "keep": 5, "log_size": "10MiB"}
			for key, value := range test.config {
				config[key] = value
			}
			diags, err := platform.New(slog.New(slog.DiscardHandler)).Configure(t.Context(), sdk.ConfigureRequest{Config: mustJSON(t, config)})
			if err != nil || !diags.HasErrors() || strings.Join(diags[0].Path, ".") != test.path {
				t.Errorf("%v %v, want an error at %s", diags, err, test.path)
			}
		})
	}
}

func TestRemovalLeavesNoProcess(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.app()
	s["command"] = []string{"/bin/sh", "-c", s["command"].([]string)[0] + " app & setsid sleep 1000 & wait"}
	b.settled("v1", s)
	if o := b.rollback(target("v1", nil), sdk.Snapshot{Empty: true}).outcome(); o.Result != sdk.ResultSucceeded {
		t.Fatalf("outcome %+v", o)
	}
	eventually(t, "the shim is gone", func() bool { return len(procinfo.Shims(b.stateDir)) == 0 })
	if left := procinfo.Marked(shim.Claim(b.dir())); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if items, err := b.Inventory(t.Context(), ""); err != nil || len(items) > 0 {
		t.Errorf("inventory %v %v", items, err)
	}
}

// What an instance started in a session of its own ends with the release, too.
func TestAReleaseThatGoesLeavesNoProcess(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.app()
	s["command"] = []string{"/bin/sh", "-c", s["command"].([]string)[0] + " app version=v1 & setsid sleep 1000 & wait"}
	b.settled("v1", s)
	eventually(t, "its process in another session runs", func() bool { return len(procinfo.Marked(shim.Claim(b.dir())+"-1-")) == 3 })
	b.settled("v2", b.app("version=v2"))
	if left := procinfo.Marked(shim.Claim(b.dir()) + "-1-"); len(left) > 0 {
		t.Errorf("processes of v1 are left: %v", left)
	}
	if now := get(t, b.public, "/"); now != "v2" {
		t.Errorf("%q serves", now)
	}
}

// TestInstancesOfAnotherUser runs an instance as nobody where we are root, and
// as ourselves where we are not.
func TestInstancesOfAnotherUser(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	name := "nobody"
	if os.Geteuid() != 0 {
		own, err := user.Current()
		if err != nil {
			t.Fatal(err)
		}
		name = own.Username
	}
	account, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{filepath.Dir(b.stateDir), filepath.Dir(filepath.Dir(b.stateDir))} {
		if err := os.Chmod(private, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.user = name
	b.Platform = b.configured("inst-1")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "run"), "#!/bin/sh\nid -u\nexec sleep 1000\n", 0o755)
	s := b.app()
	s["command"], s["artifact"], s["port"] = []string{"./run"}, dir, map[string]any{}
	b.settled("v1", s)
	eventually(t, "it says who it is", func() bool {
		said := ""
		err := b.Logs(t.Context(), sdk.LogsRequest{Target: target("v1", nil)}, func(lines ...sdk.LogLine) error {
			said += lines[0].Line
			return nil
		})
		return err == nil && said == account.Uid
	})
}
