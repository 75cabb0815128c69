package platform_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/platform"
	"github.com/apm-deploy/apm/sdk"
)

type inventoryItem = sdk.InventoryItem

// What a start can go wrong by, and what the user reads. The house's cleanup
// sees that no process and no directory is left.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script string // "": the fault plugin
		mode   string
		start  time.Duration
		says   []string
	}{
		"crash":               {mode: "crash", says: []string{"ended with exit code 3 before it was ready", "its last lines: cannot find my feet"}},
		"panic":               {mode: "panic", says: []string{"ended with exit code 2", "panic: at the start"}},
		"prints to stdout":    {mode: "stdout", says: []string{"standard output before its handshake", "Hello, I am the plugin"}},
		"hangs":               {mode: "hang", start: 300 * time.Millisecond, says: []string{"was not ready within 300ms", "thinking"}},
		"host too old":        {script: "echo '1|2|unix|/tmp/x|grpc|'; exec sleep 60", says: []string{"speaks version 2 of the plugin protocol, this host speaks version 1", "upgrade the host"}},
		"plugin too old":      {script: "echo '1|0|unix|/tmp/x|grpc|'; exec sleep 60", says: []string{"speaks version 0 of the plugin protocol", "upgrade the plugin"}},
		"core too new":        {script: "echo '2|1|unix|/tmp/x|grpc|'; exec sleep 60", says: []string{"core protocol", "upgrade the host"}},
		"not grpc":            {script: "echo '1|1|unix|/tmp/x|netrpc|'; exec sleep 60", says: []string{"serves netrpc over unix", "gRPC on a Unix socket"}},
		"no gRPC named":       {script: "echo '1|1|unix|/tmp/x'; exec sleep 60", says: []string{"not complete"}},
		"over the network":    {script: "echo '1|1|bogus|127.0.0.1:1|grpc|'; exec sleep 60", says: []string{"serves grpc over bogus"}},
		"certificate broken":  {script: "echo '1|1|unix|/tmp/x|grpc|" + strings.Repeat("A", 60) + "'; exec sleep 60", says: []string{"cannot be connected to"}},
		"no certificate":      {script: "echo '1|1|unix|/tmp/x|grpc'; exec sleep 60", says: []string{"gave no certificate"}},
		"silent and gone":     {script: "exit 0", says: []string{"ended with exit code 0 before it was ready"}},
		"stdout closed":       {script: "exec >&-; exec sleep 60", says: []string{"closed its standard output without a handshake"}},
		"killed":              {script: "kill -9 $$", says: []string{"was killed by signal 9"}},
		"endless first line":  {script: "while :; do printf aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done", says: []string{"before its handshake", "aaaa"}},
		"leaves children":     {script: "sleep 60 & sleep 60 & echo lost >&2; exit 9", says: []string{"exit code 9", "lost"}},
		"interpreter missing": {script: "#!/no/such/interpreter", says: []string{"the interpreter of", "is not on this machine"}},
		"no first line":       {script: "just words", says: []string{"begins with no #! line", "name its interpreter"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.control("mode", test.mode)
			switch {
			case test.script == "":
			case strings.HasPrefix(test.script, "#!"), test.script == "just words":
				h.write(test.script+"\n", 0o755)
			default:
				h.write("#!/bin/sh\n"+test.script+"\n", 0o755)
			}
			h.hold.Plugins[0].Dev = true
			h.hold.Times = platform.Times{Start: test.start}
			began := time.Now()
			_, err := h.catalog().Inspect(t.Context(), "fault")
			says(t, err, append(test.says, `plugin "fault"`)...)
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestRunDirectoryTooLong(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.hold.RunDir = filepath.Join(h.run, strings.Repeat("x", 80))
	if err := os.Mkdir(h.hold.RunDir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(h.hold.RunDir); err != nil { // which says that it is empty
			t.Error(err)
		}
	})
	h.hold.Plugins[0].Dev = true
	_, err := h.catalog().Inspect(t.Context(), "fault")
	says(t, err, "too long a path", "the limit is 104", "XDG_RUNTIME_DIR")
}

func TestEnvironmentIsNotInherited(t *testing.T) {
	t.Setenv("APM_TEST_SECRET", "hunter2")
	t.Setenv("APM_TEST_WANTED", "wanted")
	t.Setenv("PLUGIN_CLIENT_CERT", "forged")
	h := newHouse(t)
	h.hold.Plugins[0].Dev = true
	h.hold.Plugins[0].Environment = []string{"APM_TEST_WANTED", "APM_TEST_UNSET", "PLUGIN_CLIENT_CERT"}
	if _, err := h.catalog().Inspect(t.Context(), "fault"); err != nil {
		t.Fatal(err)
	}
	environment := strings.Join(h.noted("environment"), "\n")
	for part, want := range map[string]bool{
		"hunter2": false, "APM_TEST_SECRET": false, "APM_TEST_UNSET": false, "forged": false,
		"APM_TEST_WANTED=wanted": true, "PATH=": true, "APM_PLUGIN_LIFELINE_FD=3": true,
		"PLUGIN_PROTOCOL_VERSIONS=1": true, "APM_PLUGIN_LOG_LEVEL=debug": true, "PLUGIN_UNIX_SOCKET_DIR=" + h.run: true,
	} {
		if got := strings.Contains(environment, part); got != want {
			t.Errorf("%q in the environment: %v, want %v", part, got, want)
		}
	}
}
