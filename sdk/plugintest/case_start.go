package plugintest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/wire"
)

// endTimeout is how long a process may take to end.
const endTimeout = 2 * time.Second

func cleanStart(b *bench) {
	p := b.process
	socket := strings.Split(p.Line, "|")[3]
	if filepath.Dir(socket) != p.RunDir {
		b.Errorf("the socket %q is not in PLUGIN_UNIX_SOCKET_DIR %q", socket, p.RunDir)
	}
	if err := p.Serving(b.ctx()); err != nil {
		b.Errorf("health service: %v", err)
	}
	if !p.plugin.IsCA || p.plugin.VerifyHostname("localhost") != nil {
		b.Error("the plugin's certificate must be its own authority (CA:true) and name localhost")
	}
	if key, ok := p.plugin.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		b.Errorf("the plugin's certificate has a %s key, not one of P-256", p.plugin.PublicKeyAlgorithm)
	}
	stranger, err := p.dialWithout()
	if err != nil {
		b.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.Client().Describe(b.ctx()); err == nil {
		b.Error("the plugin answers a caller without a client certificate")
	}
	if err := p.Signal(os.Interrupt); err != nil {
		b.Fatal(err)
	}
	if _, err := b.client.Validate(b.ctx(), nil, nil); err != nil {
		b.Errorf("after an interrupt, which is the host's to decide about: %v", err)
	}
	if got := p.Stdout(); got != p.Line+"\n" {
		b.Errorf("standard output has more than the handshake line: %q", oneLine(got))
	}
	if err := p.Shutdown(b.ctx()); err != nil && !errors.Is(err, sdk.ErrPluginGone) {
		b.Errorf("Shutdown: %v", err)
	}
	if _, ended := p.Exited(endTimeout); !ended {
		b.Errorf("the process runs %v after Shutdown", endTimeout)
	}
	checkLogs(b, p.Logs())
	startByHand(b)
}

// checkLogs wants the keys of the contract in every object. Other lines are not
// forbidden: a crash of the runtime writes them.
func checkLogs(b *bench, logs string) {
	for line := range strings.SplitSeq(logs, "\n") {
		var entry map[string]any
		if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &entry) != nil {
			continue
		}
		for _, key := range []string{"@level", "@message", "@timestamp"} {
			if _, ok := entry[key]; !ok {
				b.Errorf("log line without %s: %s", key, line)
			}
		}
	}
}

// startByHand starts the binary without the cookie.
func startByHand(b *bench) {
	cmd := exec.CommandContext(b.ctx(), b.config.Command[0], b.config.Command[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, b.config.Env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err == nil || cmd.ProcessState.ExitCode() != 1 || stdout.Len() > 0 || stderr.Len() == 0 {
		b.Errorf("started without %s: %v, standard output %q, standard error %q; want exit code 1 and how it is meant to be used",
			wire.Handshake.MagicCookieKey, err, stdout.String(), stderr.String())
	}
}

func configureOnce(b *bench) {
	_, err := b.client.Configure(b.ctx(), sdk.ConfigureRequest{Platform: "again"})
	b.wantRefused("Configure again", err, sdk.FailedPrecondition, sdk.ReasonOf(err))
	fresh := b.suite.start(b.T, nil)
	_, err = fresh.client.Probe(b.ctx(), sdk.ProbeRequest{Target: b.target})
	b.wantRefused("Probe before Configure", err, sdk.FailedPrecondition, sdk.ReasonNotConfigured)
	if _, err := fresh.client.Validate(b.ctx(), nil, nil); err != nil {
		b.Errorf("Validate before Configure: %v", err)
	}
}

func lifelineCloses(b *bench) {
	if err := b.process.CloseLifeline(); err != nil {
		b.Fatal(err)
	}
	if _, ended := b.process.Exited(endTimeout); !ended {
		b.Errorf("the process runs %v after its host is gone", endTimeout)
	}
}
