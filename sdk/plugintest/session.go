package plugintest

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/wire"
)

// heartbeatForTests replaces the 15 s of the contract.
const heartbeatForTests = 200 * time.Millisecond

// session is one start of the plugin.
type session struct {
	client  *wire.Client
	rude    *wire.Client            // without limits
	raw     pluginv1.PlatformClient // what no client of ours would send or hide
	process *Process                // nil within this process
	logs    func() string
	stop    func() // ends it without any grace
}

// start starts the plugin: as a process where there is a command, else within
// this process.
func (s *suite) start(t T, wrap func(sdk.Platform) sdk.Platform) *session {
	t.Helper()
	if !s.process {
		return s.startWithin(t, wrap)
	}
	process := Start(t, s.config.Command, s.env()...)
	return s.session(process.conn, &session{process: process, logs: process.Logs, stop: process.Kill})
}

// env is what the suite adds to the environment of the contract.
func (s *suite) env() []string {
	return append([]string{"APM_PLUGIN_HEARTBEAT=" + heartbeatForTests.String()}, s.config.Env...)
}

// startWithin serves the plugin within this process, over real gRPC.
func (s *suite) startWithin(t T, wrap func(sdk.Platform) sdk.Platform) *session {
	t.Helper()
	plugin := s.config.Plugin
	if wrap != nil {
		makes := plugin.New
		plugin.New = func(log *slog.Logger) sdk.Platform { return wrap(makes(log)) }
	}
	out := &output{}
	log := slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server, err := wire.NewServer(plugin, log, wire.WithHeartbeat(heartbeatForTests))
	if err != nil {
		t.Fatalf("serve plugin: %v", err)
	}
	dir, err := os.MkdirTemp("", "apm") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	listener, err := new(net.ListenConfig).Listen(context.Background(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	stop := server.Listen(listener)
	conn, err := wire.Dial(socket, nil)
	if err != nil {
		t.Fatal(err)
	}
	end := func() {
		_ = conn.Close() // twice, when a case ended it
		stop()
	}
	t.Cleanup(end)
	if c, ok := t.(*check); ok {
		c.keepLog(out.String)
	}
	return s.session(conn, &session{logs: out.String, stop: end})
}

// session completes what was started with its clients, to which the suite listens.
func (s *suite) session(conn *wire.Conn, session *session) *session {
	s.logs = append(s.logs, session.logs)
	tapped := s.tap.conn(conn.Raw())
	session.client, session.rude = wire.NewClient(tapped), wire.NewClient(tapped, wire.WithoutLimits())
	session.raw = pluginv1.NewPlatformClient(tapped)
	return session
}

// configure hands the platform over, with a data directory that is new.
func (s *suite) configure(ctx context.Context, t T, session *session) {
	t.Helper()
	config, ds := s.description.Config.Complete(s.config.Platform)
	if ds.HasErrors() {
		t.Fatalf("plugintest.Config.Platform does not fit the plugin's schema: %v", ds)
	}
	ds, err := session.client.Configure(ctx, sdk.ConfigureRequest{
		Platform: "conformance", Config: config, HostVersion: "0.0.0", InstallationID: s.installation, DataDir: t.TempDir(),
	})
	if err != nil {
		t.Fatalf("Configure: %v", err)
	}
	if ds.HasErrors() {
		t.Fatalf("Configure: %v", ds)
	}
}
