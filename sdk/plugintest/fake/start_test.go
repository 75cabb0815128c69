package fake_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
	"github.com/apm-deploy/apm/sdk/plugintest/fake"
	"github.com/apm-deploy/apm/sdk/wire"
)

// launch starts a binary as the contract has it, and returns what it did within a
// time in which it should have ended.
func launch(t *testing.T, binary string, limit time.Duration, env ...string) (code int, stdout, stderr string) {
	t.Helper()
	_, certificate, err := wire.NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "apm") //nolint:usetesting // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), envRole + "=fake", "PLUGIN_UNIX_SOCKET_DIR=" + dir,
		wire.Handshake.MagicCookieKey + "=" + wire.Handshake.MagicCookieValue, wire.EnvClientCert + "=" + certificate,
	}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the code says it
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// What the platform block says of the start holds from the next start on.
func TestStartFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.env = []string{"APM_FAKE_ROOT=" + r.root}
	r.with(faults{
		"crash": {"call": "start", "exit_code": 4, "times": 2},
		"noise": {"message": "hello world", "after": 2, "times": 1},
		"slow":  {"call": "start", "delay": "300ms", "after": 2, "times": 1},
		"hang":  {"call": "describe", "after": 1, "times": 1},
	})
	for range 2 {
		if code, stdout, _ := launch(t, os.Args[0], limit, r.env...); code != 4 || stdout != "" {
			t.Errorf("code %d, standard output %q", code, stdout)
		}
	}
	start := time.Now()
	_, stdout, _ := launch(t, os.Args[0], 3*time.Second, r.env...)
	if !strings.HasPrefix(stdout, "hello world\n1|1|unix|") {
		t.Errorf("standard output of the third start after %s: %q", time.Since(start), stdout)
	}
	r.start()
	if _, err := r.Client().Describe(r.ctx()); err != nil {
		t.Errorf("describe: %v", err)
	}
	r.start()
	hangs(t, func(ctx context.Context) error {
		_, err := r.Client().Describe(ctx)
		return err
	})
	r.with(nil) // forgets them
	if code, stdout, stderr := launch(t, os.Args[0], time.Second, r.env...); code != -1 || !strings.HasPrefix(stdout, "1|1|") {
		t.Errorf("code %d, %q %q", code, stdout, stderr)
	}
}

// built is the binary as it is built.
func built(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fake")
	command := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/apm-deploy/apm/sdk/cmd/apm-plugin-fake")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

func TestVariants(t *testing.T) {
	t.Parallel()
	binary, root := built(t), t.TempDir()
	vary := func(name string, v fake.Variant) string {
		t.Helper()
		path := filepath.Join(filepath.Dir(binary), name)
		if err := fake.Vary(binary, path, v); err != nil {
			t.Fatal(err)
		}
		return path
	}
	describe := func(path string) sdk.Description {
		t.Helper()
		d, err := plugintest.Start(t, []string{path}).Client().Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	plain := describe(binary)
	if plain.Name != "fake" || !plain.Capabilities.Staged {
		t.Errorf("the fake as it is: %+v", plain)
	}
	later := describe(vary("later", fake.Variant{Version: "0.2.0", Without: []string{"staged", "logs"}}))
	if later.Version != "0.2.0" || later.Name != "fake" || later.Capabilities.Staged || later.Capabilities.Percent ||
		later.Capabilities.Logs || !later.Capabilities.Cancel {
		t.Errorf("a variant: %+v", later)
	}
	odd := describe(vary("odd", fake.Variant{Name: "other", Schema: "contradicts"}))
	if odd.Name != "other" || odd.Config.Validate() == nil {
		t.Errorf("a variant whose schema contradicts itself: %+v", odd)
	}
	foreign := vary("foreign", fake.Variant{Protocol: 7})
	if _, stdout, _ := launch(t, foreign, time.Second); !strings.HasPrefix(stdout, "1|7|unix|") {
		t.Errorf("a variant of another protocol says %q", stdout)
	}
	once := vary("once", fake.Variant{Root: root, Blocks: map[string]map[string]any{"crash": {"call": "start", "times": 1}}})
	if code, stdout, _ := launch(t, once, limit); code != -1 || stdout != "" {
		t.Errorf("the first start: code %d, %q", code, stdout)
	}
	describe(once)

	text := `{"version": "0.3.0", "faults": {"noise": {"message": "hi"}}}`
	path := filepath.Join(filepath.Dir(binary), "by-hand")
	if out, err := exec.CommandContext(t.Context(), binary, "vary", path, text).CombinedOutput(); err != nil {
		t.Fatalf("vary: %v: %s", err, out)
	}
	if _, stdout, _ := launch(t, path, time.Second); !strings.HasPrefix(stdout, "hi\n") {
		t.Errorf("a variant that is noisy says %q", stdout)
	}
	for name, v := range map[string]fake.Variant{
		"kind":       {Blocks: map[string]map[string]any{"nothing": {}}},
		"capability": {Without: []string{"teleport"}},
	} {
		if err := fake.Vary(binary, path, v); err == nil {
			t.Errorf("%s: a variant was made", name)
		}
	}
	if err := fake.Vary(once, path, fake.Variant{}); err == nil {
		t.Error("a variant of a variant was made")
	}
}
