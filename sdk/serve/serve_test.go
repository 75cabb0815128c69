package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/plugintest"
	"github.com/apm-deploy/apm/sdk/serve"
	"github.com/apm-deploy/apm/sdk/wire"
)

const envRole = "APM_TEST_ROLE"

// TestMain is the plugin too: the tests start this binary again as one.
func TestMain(m *testing.M) {
	switch os.Getenv(envRole) {
	case "":
		m.Run()
	case "closer":
		os.Exit(serve.Main(sdk.Plugin{Name: "closer", Version: "1.0.0", New: newCloser})) //nolint:forbidigo // the main of a plugin
	case "broken":
		os.Exit(serve.Main(sdk.Plugin{Name: "talker"})) //nolint:forbidigo // the main of a plugin
	default:
		os.Exit(serve.Main(sdk.Plugin{Name: "talker", Version: "1.0.0", New: newTalker})) //nolint:forbidigo // the main of a plugin
	}
}

// talker writes wherever an author should not.
type talker struct {
	sdk.Platform
	log *slog.Logger
}

func newTalker(log *slog.Logger) sdk.Platform {
	fmt.Fprintln(os.Stdout, "stray words in New")
	return &talker{log: log}
}

func (p *talker) Configure(_ context.Context, r sdk.ConfigureRequest) (diag.Diagnostics, error) {
	fmt.Fprintln(os.Stdout, strings.Repeat("stray words in Configure ", 10_000))
	fmt.Fprintln(os.Stderr, "words on standard error")
	p.log.Debug("debugging")
	p.log.Info("configured", "platform", r.Platform, slog.Group("more", "level", "deep", "time", "now"))
	p.log.Warn("careful", "error", errors.New("canary"))
	return nil, nil
}

// Snapshot starts a process and says which descriptors it has.
func (p *talker) Snapshot(ctx context.Context, _ sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	open, err := exec.CommandContext(ctx, "sh", "-c", "for n in 3 4 5 6 7 8 9; do (: <&$n) 2>/dev/null && echo $n; done; true").Output()
	return sdk.SnapshotResult{ObservedDigest: string(open)}, err
}

func (p *talker) Probe(ctx context.Context, _ sdk.ProbeRequest) (sdk.ProbeResult, error) {
	<-ctx.Done()
	return sdk.ProbeResult{}, ctx.Err()
}

func self(t *testing.T, role string, env ...string) *plugintest.Process {
	t.Helper()
	return plugintest.Start(t, []string{os.Args[0]}, append(env, envRole+"="+role)...)
}

func TestServes(t *testing.T) {
	t.Parallel()
	p := self(t, "talker")
	client := p.Client()
	description, err := client.Describe(t.Context())
	if err != nil || description.Name != "talker" || description.Version != "1.0.0" {
		t.Fatalf("description %+v, %v", description, err)
	}
	if _, err := client.Configure(t.Context(), sdk.ConfigureRequest{Platform: "p"}); err != nil {
		t.Fatal(err)
	}
	if got := p.Stdout(); got != p.Line+"\n" {
		t.Errorf("standard output has more than the handshake line: %.300q", got)
	}
	for _, words := range []string{"stray words in New", "stray words in Configure", "words on standard error"} {
		eventually(t, func() bool { return strings.Contains(p.Logs(), words) }, func() string { return "lost: " + words })
	}
}

// Each line of the log is an object with the keys of the contract.
func TestLogs(t *testing.T) {
	t.Parallel()
	for level, want := range map[string][]string{
		"debug": {"debug debugging", "info configured", "warn careful"},
		"info":  {"info configured", "warn careful"},
		"warn":  {"warn careful"},
		"error": nil,
		"":      {"info configured", "warn careful"},
	} {
		t.Run("level "+level, func(t *testing.T) {
			t.Parallel()
			p := self(t, "talker", "APM_PLUGIN_LOG_LEVEL="+level)
			if _, err := p.Client().Configure(t.Context(), sdk.ConfigureRequest{Platform: "p"}); err != nil {
				t.Fatal(err)
			}
			// The lines come through a pipe, a little later than the answer.
			var got []string
			eventually(t, func() bool {
				got = readLog(t, p.Logs())
				return fmt.Sprint(got) == fmt.Sprint(want) && strings.Contains(p.Logs(), "words on standard error")
			}, func() string { return fmt.Sprintf("got %q, want %q", got, want) })
		})
	}
}

// readLog checks each line and returns level and message of the plugin's own.
func readLog(t *testing.T, text string) []string {
	t.Helper()
	var got []string
	for line := range strings.SplitAfterSeq(text, "\n") {
		if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "\n") {
			continue // the stray words, or half a line
		}
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if _, err := time.Parse("2006-01-02T15:04:05.000000Z07:00", fmt.Sprint(entry["@timestamp"])); err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		if entry["@module"] != "talker" {
			continue
		}
		got = append(got, fmt.Sprint(entry["@level"], " ", entry["@message"]))
		if entry["@message"] == "configured" {
			more, _ := entry["more"].(map[string]any)
			if entry["platform"] != "p" || more["level"] != "deep" || more["time"] != "now" {
				t.Errorf("attributes of %q", line)
			}
		}
	}
	return got
}

func eventually(t *testing.T, holds func() bool, otherwise func() string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(otherwise())
		}
	}
}

func TestLifeline(t *testing.T) {
	t.Parallel()
	p := self(t, "talker")
	client := p.Client()
	if _, err := client.Configure(t.Context(), sdk.ConfigureRequest{}); err != nil {
		t.Fatal(err)
	}
	busy := make(chan error, 1)
	go func() {
		_, err := client.Probe(t.Context(), sdk.ProbeRequest{})
		busy <- err
	}()
	if err := p.CloseLifeline(); err != nil {
		t.Fatal(err)
	}
	if code, ended := p.Exited(2 * time.Second); !ended || code == 0 {
		t.Errorf("ended %v with code %d", ended, code)
	}
	if err := <-busy; !errors.Is(err, sdk.ErrPluginGone) {
		t.Errorf("the call under way: %v", err)
	}
}

// What a plugin starts must not hold the lifeline, or what else the host gave it.
func TestLifelineIsNotInherited(t *testing.T) {
	t.Parallel()
	client := self(t, "talker").Client()
	if _, err := client.Configure(t.Context(), sdk.ConfigureRequest{}); err != nil {
		t.Fatal(err)
	}
	result, err := client.Snapshot(t.Context(), sdk.SnapshotRequest{})
	if err != nil || result.ObservedDigest != "" {
		t.Errorf("a process that the plugin starts has the descriptors %q, %v", result.ObservedDigest, err)
	}
}

func TestInterruptIsLeftToTheHost(t *testing.T) {
	t.Parallel()
	p := self(t, "talker")
	for range 3 {
		if err := p.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Serving(t.Context()); err != nil {
		t.Error(err)
	}
	if err := p.Shutdown(t.Context()); err != nil && !errors.Is(err, sdk.ErrPluginGone) {
		t.Error(err)
	}
	if code, ended := p.Exited(2 * time.Second); !ended || code != 0 {
		t.Errorf("after Shutdown: ended %v with code %d", ended, code)
	}
	left, err := os.ReadDir(p.RunDir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the run directory: %v, %v", left, err)
	}
}

// run starts this binary as a plugin that is expected to end by itself.
func run(t *testing.T, env ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// certificate is a variable of the contract.
func certificate(t *testing.T) string {
	t.Helper()
	_, text, err := wire.NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	return wire.EnvClientCert + "=" + text
}

func TestStartsThatFail(t *testing.T) {
	t.Parallel()
	cookie := wire.Handshake.MagicCookieKey + "=" + wire.Handshake.MagicCookieValue
	talks, broken := envRole+"=talker", envRole+"=broken"
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	for name, tc := range map[string]struct {
		env  []string
		want string
	}{
		"by hand":          {[]string{talks}, "not by hand"},
		"another cookie":   {[]string{talks, wire.Handshake.MagicCookieKey + "=x"}, `plugin "talker" { path =`},
		"long socket path": {[]string{talks, cookie, "PLUGIN_UNIX_SOCKET_DIR=" + long}, "limit is 104"},
		"bad lifeline":     {[]string{talks, cookie, "APM_PLUGIN_LIFELINE_FD=x"}, "APM_PLUGIN_LIFELINE_FD"},
		"closed lifeline":  {[]string{talks, cookie, "APM_PLUGIN_LIFELINE_FD=77"}, "descriptor 77"},
		"broken plugin":    {[]string{broken, cookie}, "Plugin.Version is empty"},
		"no directory":     {[]string{talks, cookie, certificate(t), "PLUGIN_UNIX_SOCKET_DIR=/nonexistent"}, "plugin init error"},
		"no certificate":   {[]string{talks, cookie}, "PLUGIN_CLIENT_CERT is not set"},
		"bad certificate":  {[]string{talks, cookie, "PLUGIN_CLIENT_CERT=x"}, "no certificate in PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, tc.env...)
			if code != 1 || stdout != "" || !strings.Contains(stderr, tc.want) {
				t.Errorf("code %d, stdout %q, stderr %q; want code 1 and %q", code, stdout, stderr, tc.want)
			}
		})
	}
}

// Without a lifeline a plugin still ends with its parent.
func TestParentDies(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "apm") //nolint:usetesting // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	// The shell is the parent; it ends once the plugin serves, and leaves it behind.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", `"$0" >"$1" 2>&1 & while ! grep -q unix "$1"; do sleep 0.05; done`, os.Args[0], filepath.Join(dir, "out"))
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), envRole + "=talker", "PLUGIN_UNIX_SOCKET_DIR=" + dir,
		wire.Handshake.MagicCookieKey + "=" + wire.Handshake.MagicCookieValue, certificate(t),
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	read := func() string {
		said, err := os.ReadFile(filepath.Join(dir, "out"))
		if err != nil {
			t.Fatal(err)
		}
		return string(said)
	}
	eventually(t, func() bool { return strings.Contains(read(), "the host is gone") }, func() string { return "it lives on: " + read() })
}
