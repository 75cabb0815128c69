package platform_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/apm-deploy/apm/host/internal/platform"
	"github.com/apm-deploy/apm/sdk/wire"
)

// BenchmarkStart is P10: from the end of a plugin, by SIGKILL, until the next
// process is started, described and configured, against go-plugin starting the
// same binary, with the same TLS, until it answers a ping. ms-first is the first
// start of a host, which reads the binary and its private copy to the end, once.
func BenchmarkStart(b *testing.B) {
	const starts = 20
	b.Run("baseline", func(b *testing.B) {
		var took []time.Duration
		for range starts * b.N {
			took = append(took, startBare(b))
		}
		b.ReportMetric(p50(took), "ms-p50")
	})
	b.Run("product", func(b *testing.B) {
		h := newHouse(b)
		h.lock()
		h.startSupervised(b) // puts the private copy in its place
		var took, again []time.Duration
		for range starts * b.N {
			first, crash := h.startSupervised(b)
			took, again = append(took, first), append(again, crash)
		}
		b.ReportMetric(p50(again), "ms-p50")
		b.ReportMetric(p50(took), "ms-first-p50")
	})
}

func p50(of []time.Duration) float64 {
	slices.Sort(of)
	return float64(of[len(of)/2].Microseconds()) / 1e3
}

// startSupervised starts the platform, kills its plugin, and says how long each
// took until a call was answered.
func (h *house) startSupervised(b *testing.B) (first, crash time.Duration) {
	b.Helper()
	config := platform.SupervisorConfig{Catalog: h.catalog(), Platforms: []platform.Spec{{Name: "one", Plugin: "fault"}}, Setup: setup(), Log: h.hold.Log}
	ready := make(chan platform.State, 16)
	config.Changed = func(s platform.State) {
		if s.Phase == platform.Ready {
			ready <- s
		}
	}
	begin := time.Now()
	s, err := platform.NewSupervisor(config)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(context.Background()); err != nil {
			b.Error(err)
		}
	}()
	state := <-ready
	first = time.Since(begin)
	begin = time.Now()
	if err := syscall.Kill(state.PID, syscall.SIGKILL); err != nil {
		b.Fatal(err)
	}
	for next := range ready {
		if next.PID != state.PID {
			return first, time.Since(begin)
		}
	}
	return first, 0
}

// startBare is how go-plugin alone starts the binary.
func startBare(b *testing.B) time.Duration {
	b.Helper()
	begin := time.Now()
	own, ownPEM, err := wire.NewCertificate()
	if err != nil {
		b.Fatal(err)
	}
	theirs, theirPEM, err := wire.NewCertificate()
	if err != nil {
		b.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(theirs.PrivateKey)
	if err != nil {
		b.Fatal(err)
	}
	pair := theirPEM + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(theirPEM))
	cmd := exec.CommandContext(b.Context(), built["1.2.3"])
	cmd.Env = append(os.Environ(), "APM_TEST_BARE="+pair, wire.EnvClientCert+"="+ownPEM)
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: wire.Handshake, Plugins: plugin.PluginSet{}, AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Cmd: cmd, Logger: hclog.NewNullLogger(),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12},
	})
	defer client.Kill()
	protocol, err := client.Client()
	if err == nil {
		err = protocol.Ping()
	}
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}
