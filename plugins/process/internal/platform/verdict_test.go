package platform_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/plugins/process/internal/instance"
	"github.com/apm-deploy/apm/sdk"
)

func TestEarlyVerdicts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spec    func(b *bed) spec
		code    string
		message string // part of it
		log     string // one of the lines
	}{
		"exits at start": {
			spec: func(b *bed) spec { return b.app("exit=3") },
			code: sdk.CodeExited, message: "exited with code 3 2 times", log: "exiting on purpose",
		},
		"exits with code 0": {
			spec: func(b *bed) spec { return b.app("exit=0") },
			code: sdk.CodeExited, message: "exited with code 0", log: "exiting on purpose",
		},
		"crash loop": {
			spec: func(b *bed) spec { return b.app("crash=200") },
			code: sdk.CodeCrashLoop, message: "3 exits", log: "warning on stderr",
		},
		"uses a fixed port": {
			spec: func(b *bed) spec { return b.app("listen=" + b.public) },
			code: sdk.CodePortInUse, message: "address is in use", log: "address already in use",
		},
		"never listens": {
			spec: func(b *bed) spec {
				s := b.app()
				s["command"] = []string{"sleep", "60"}
				s["start_timeout"] = "300ms"
				return s
			},
			code: sdk.CodeProgressDeadline, message: "nothing accepts connections",
		},
		"command vanishes": {
			spec: func(b *bed) spec {
				s := b.app()
				script := filepath.Join(b.t.TempDir(), "script")
				write(b.t, script, "#!/no/such/interpreter\n", 0o755)
				s["command"] = []string{script}
				return s
			},
			code: sdk.CodeConfigMissing, message: "cannot be run",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.settled("v1", b.app("version=v1"))
			w := b.deploy("v2", test.spec(b), true)
			outcome := w.outcome()
			if outcome.Result != sdk.ResultFailed || outcome.Failure == nil || outcome.Failure.Code != test.code {
				t.Fatalf("outcome %+v, failure %+v, want %s", outcome, outcome.Failure, test.code)
			}
			f := outcome.Failure
			if !strings.Contains(f.Message, test.message) || f.Suggestion == "" {
				t.Errorf("message %q, suggestion %q, want %q in the message", f.Message, f.Suggestion, test.message)
			}
			found := test.log == ""
			for _, line := range f.Logs {
				if !line.Previous {
					t.Errorf("line %q is not of the instance that ended", line.Line)
				}
				found = found || strings.Contains(line.Line, test.log)
			}
			if !found {
				t.Errorf("no line %q in %v", test.log, f.Logs)
			}
			if got := get(t, b.public, "/"); got != "v1" {
				t.Errorf("the old version does not serve: %q", got)
			}
		})
	}
}

func TestPublicPortInUseNamesTheHolder(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	holder, err := new(net.ListenConfig).Listen(t.Context(), "tcp", b.public)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	outcome := b.deploy("v1", b.app("version=v1"), false).outcome()
	if outcome.Result != sdk.ResultFailed || outcome.Failure.Code != sdk.CodePortInUse {
		t.Fatalf("outcome %+v", outcome)
	}
	if !strings.Contains(outcome.Failure.Message, b.public) || !strings.Contains(outcome.Failure.Message, "pid ") {
		t.Errorf("message %q names neither address nor holder", outcome.Failure.Message)
	}
}

func TestACrashedInstanceIsStartedAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.settled("v1", b.app("version=v1"))
	first := b.component().Processes[0]
	get(t, b.public, "/exit")
	eventually(t, "another instance serves", func() bool {
		processes := b.component().Processes
		return len(processes) == 1 && processes[0].PID != first.PID && get(t, b.public, "/") == "v1"
	})
	probe, err := b.Probe(t.Context(), sdk.ProbeRequest{Target: target("v1", nil)})
	if err != nil || len(probe.Checks) != 2 || probe.Checks[0].Status != sdk.CheckHealthy || !strings.Contains(probe.Checks[0].Message, "1 restarts") {
		t.Errorf("probe %+v %v", probe, err)
	}
	if probe.Addresses["http"] != b.public || probe.Revision != "v1" {
		t.Errorf("probe %+v", probe)
	}
}

func TestUnknownCommandIsADiagnostic(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	file := filepath.Join(t.TempDir(), "plain")
	write(t, file, "x", 0o644)
	for _, command := range []string{"no-such-command-here", "/no/such/file", file, "./relative"} {
		s := b.app()
		s["command"] = []string{command}
		_, diags, err := b.Resolve(t.Context(), sdk.ResolveRequest{Target: target("v1", s)})
		if err != nil || !diags.HasErrors() || strings.Join(diags[0].Path, ".") != "command" {
			t.Errorf("%s: %v %v", command, diags, err)
		}
	}
}

func TestFreePortIsFree(t *testing.T) {
	t.Parallel()
	port, err := instance.FreePort()
	if err != nil || port < 20000 || port > 32767 {
		t.Fatalf("port %d %v", port, err)
	}
}

func write(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}
