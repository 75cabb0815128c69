package plugintest

import (
	"bytes"
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/apm-deploy/apm/sdk/wire"
)

// startedByHand starts the binary without the cookie, and with a wrong one.
func startedByHand(b *bench) {
	for _, cookie := range []string{"", wire.Handshake.MagicCookieKey + "=of-another-program"} {
		program, err := programOf(b.config.Command)
		if err != nil {
			b.Fatal(err)
		}
		cmd := exec.CommandContext(b.ctx(), program, b.config.Command[1:]...)
		cmd.Dir = b.TempDir() // what serves all the same must not do it here
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), cookie}, b.config.Env...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err = cmd.Run()
		code := -1
		if cmd.ProcessState != nil {
			code = cmd.ProcessState.ExitCode()
		}
		what := "started without " + wire.Handshake.MagicCookieKey
		if cookie != "" {
			what = "started with " + cookie
		}
		switch {
		case code != 1:
			b.Errorf("%s: want exit code 1, got %d (%v)", what, code, err)
		case stdout.Len() > 0:
			b.Errorf("%s: standard output must stay empty, got %q", what, oneLine(stdout.String()))
		case strings.TrimSpace(stderr.String()) == "":
			b.Errorf("%s: standard error must say how the binary is meant to be used, and is empty", what)
		}
	}
}

func onlyHostIsServed(b *bench) {
	another, _, err := wire.NewCertificate()
	if err != nil {
		b.Fatal(err)
	}
	for what, certificates := range map[string][]tls.Certificate{
		"without a client certificate":               nil,
		"with a client certificate of somebody else": {another},
	} {
		stranger, err := wire.Dial(b.process.socket(), tlsConfig(b.process.plugin, certificates...))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = stranger.Close() })
		if _, err := stranger.Client().Describe(b.ctx()); err == nil {
			b.Errorf("the plugin answers Describe to a caller %s: require one, and verify it against PLUGIN_CLIENT_CERT", what)
		}
	}
	if _, err := b.client.Validate(b.ctx(), nil, nil); err != nil {
		b.Errorf("Validate by the host, after strangers were refused: %v", err)
	}
	b.refusesToServe("without PLUGIN_CLIENT_CERT", wire.EnvClientCert+"=")
	b.refusesToServe("with a PLUGIN_CLIENT_CERT that is no certificate", wire.EnvClientCert+"=what?")
}

func noPlaceForSocket(b *bench) {
	long := filepath.Join(b.TempDir(), strings.Repeat("d", 60), strings.Repeat("e", 60))
	if err := os.MkdirAll(long, 0o700); err != nil {
		b.Fatal(err)
	}
	b.refusesToServe("with a PLUGIN_UNIX_SOCKET_DIR whose sockets' paths have more than 104 bytes", envSocketDir+"="+long)
	b.refusesToServe("with a PLUGIN_UNIX_SOCKET_DIR that does not exist", envSocketDir+"="+filepath.Join(b.TempDir(), "nowhere"))
}

// refusesToServe starts the plugin where it must not serve: it says why on standard
// error, prints no handshake line and ends by itself.
func (b *bench) refusesToServe(what string, env ...string) {
	b.Helper()
	p, first, err := launch(b.T, b.config.Command, append(b.suite.env(), env...))
	if err != nil {
		b.Fatalf("start %s: %v", what, err)
	}
	select {
	case line := <-first:
		b.Errorf("started %s: it serves all the same, its first line is %q", what, line)
	case <-p.exited:
		p.errRead()
		if code := p.cmd.ProcessState.ExitCode(); code == 0 {
			b.Errorf("started %s: the exit code is 0, as if all were well", what)
		}
		if strings.TrimSpace(p.Logs()) == "" {
			b.Errorf("started %s: standard error does not say why it ended", what)
		}
	case <-time.After(startTimeout):
		b.Errorf("started %s: it neither serves nor ends within %v", what, startTimeout)
	}
}
