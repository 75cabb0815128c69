package plugintest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// interruptTime is how long a process that an interrupt ends may take to.
const interruptTime = time.Second

// endTimeout is how long a process may take to end.
const endTimeout = 2 * time.Second

func cleanStart(b *bench) {
	p := b.process
	if socket := p.socket(); filepath.Dir(socket) != p.RunDir {
		b.Errorf("the socket %q is not in PLUGIN_UNIX_SOCKET_DIR, %q", socket, p.RunDir)
	}
	if err := p.Serving(b.ctx()); err != nil {
		b.Errorf("grpc.health.v1.Health/Check of the service %q: want SERVING, got: %v", "plugin", err)
	}
	if !p.plugin.IsCA || p.plugin.VerifyHostname("localhost") != nil {
		b.Errorf("the plugin's certificate must be its own authority (CA:true, it is %v) and name localhost (it names %q)",
			p.plugin.IsCA, p.plugin.DNSNames)
	}
	if key, ok := p.plugin.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		b.Errorf("the plugin's certificate has a %s key, not one of the curve P-256", p.plugin.PublicKeyAlgorithm)
	}
	if err := p.Signal(os.Interrupt); err != nil {
		b.Fatal(err)
	}
	if code, ended := p.Exited(interruptTime); ended {
		b.Errorf("the process ended with exit code %d after an interrupt, which a Ctrl-C sends to all and which is the host's to decide about", code)
	}
	if _, err := b.client.Validate(b.ctx(), nil, nil); err != nil {
		b.Errorf("Validate after an interrupt: %v", err)
	}
	again := b.suite.start(b.T, nil)
	if again.process.plugin.Equal(p.plugin) {
		b.Error("two starts have the same certificate: make a fresh one for each process")
	}
	b.shutdown()
	checkLogs(b, p.Logs())
}

// shutdown asks the process to end, and waits.
func (b *bench) shutdown() {
	b.Helper()
	if err := b.process.Shutdown(b.ctx()); err != nil && !errors.Is(err, sdk.ErrPluginGone) {
		b.Errorf("plugin.GRPCController/Shutdown: %v", err)
	}
	if _, ended := b.process.Exited(endTimeout); !ended {
		b.Errorf("the process still runs %v after Shutdown", endTimeout)
	}
}

// logLevels are the words of the contract for @level.
var logLevels = []string{"trace", "debug", "info", "warn", "error"}

// checkLogs wants the keys of the contract in every object. Other lines are not
// forbidden, a crash of the runtime writes them, but not all can be of that kind.
func checkLogs(b *bench, logs string) {
	b.Helper()
	objects := 0
	for line := range strings.Lines(logs) {
		var entry map[string]any
		if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &entry) != nil {
			continue
		}
		objects++
		for _, key := range []string{"@level", "@message", "@timestamp"} {
			if _, ok := entry[key]; !ok {
				b.Errorf("line of the log without %s: %s", key, line)
			}
		}
		if level, _ := entry["@level"].(string); !slices.Contains(logLevels, level) {
			b.Errorf("line of the log with @level %q, not one of %q: %s", level, logLevels, line)
		}
	}
	if logs != "" && objects == 0 {
		b.Errorf("the log, standard error, has no line that is a JSON object: %q", oneLine(logs))
	}
}

func configureOnce(b *bench) {
	_, err := b.client.Configure(b.ctx(), sdk.ConfigureRequest{Platform: "again"})
	b.wantRefused("Configure again", err, sdk.FailedPrecondition, anyReason)
	fresh := b.suite.start(b.T, nil)
	_, err = fresh.client.Probe(b.ctx(), sdk.ProbeRequest{Target: b.target})
	b.wantRefused("Probe before Configure", err, sdk.FailedPrecondition, sdk.ReasonNotConfigured)
	if _, err := fresh.client.Validate(b.ctx(), nil, nil); err != nil {
		b.Errorf("Validate before Configure: want an answer, got %v", err)
	}
}

// openStream opens a stream that lives for as long as the plugin. A call like it is
// what a server that ends gracefully would wait for.
func (b *bench) openStream() {
	b.Helper()
	heard := make(chan struct{}, 1)
	ctx := b.ctx()
	ended, done := make(chan error, 1), make(chan struct{})
	client := b.client
	go func() {
		defer close(done)
		ended <- client.Health(ctx, func(sdk.Health) error {
			select {
			case heard <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	b.Cleanup(func() { <-done })
	if !b.suite.configurable() {
		return // it is refused, and the process must end all the same
	}
	select {
	case <-heard:
	case err := <-ended:
		b.Fatalf("Health: the stream ended: %v", err)
	case <-ctx.Done():
		b.Fatalf("Health: nothing within %v", b.config.Timeout)
	}
}

func shutdownEnds(b *bench) {
	b.openStream()
	b.shutdown()
	another := b.suite.start(b.T, nil)
	if err := another.process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	if _, ended := another.process.Exited(endTimeout); !ended {
		b.Errorf("the process still runs %v after SIGTERM", endTimeout)
	}
}

func lifelineCloses(b *bench) {
	b.openStream()
	if err := b.process.CloseLifeline(); err != nil {
		b.Fatal(err)
	}
	if _, ended := b.process.Exited(endTimeout); !ended {
		b.Errorf("the process still runs %v after its host is gone", endTimeout)
	}
}

// stdoutStaysClean looks after a whole life: what is buffered comes at the end.
func stdoutStaysClean(b *bench) {
	if b.config.SpecV1 != nil && b.suite.configurable() {
		b.deploy(b.v1())
		b.rollback(sdk.Snapshot{Empty: true})
	}
	b.shutdown()
	b.process.outRead()
	if got := b.process.Stdout(); got != b.process.Line+"\n" {
		b.Errorf("standard output: want the handshake line alone, got also: %q", oneLine(strings.TrimPrefix(got, b.process.Line+"\n")))
	}
	b.used = false
}
