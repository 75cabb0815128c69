package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/apm-deploy/apm/host/internal/access"
	"github.com/apm-deploy/apm/host/internal/bus/memory"
	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/engine"
	"github.com/apm-deploy/apm/host/internal/health"
	"github.com/apm-deploy/apm/host/internal/jobs"
	"github.com/apm-deploy/apm/host/internal/platform"
	"github.com/apm-deploy/apm/host/internal/seal"
	"github.com/apm-deploy/apm/host/internal/server"
	"github.com/apm-deploy/apm/host/internal/store/sqlite"
)

// hostName names the host on leases and in the history. SQLite is used by one
// host at a time, which a lock on the file makes sure of.
const hostName = "local"

// DatabaseFile is the name of the SQLite database in the data directory.
const DatabaseFile = "apm.db"

// retention is how often old history is looked for.
const retention = time.Hour

// useRecorded is how often it is stored which tokens were used.
const useRecorded = time.Minute

// startup is how long the host waits for its platforms before it says that it
// answers.
const startup = 10 * time.Second

// grace is how long the host waits for what it has begun when it stops.
const grace = 15 * time.Second

// Options of a host.
type Options struct {
	// ConfigPath of config.hcl; "" searches the usual places.
	ConfigPath string
	// DataDir and Listen override config.hcl where they are not "".
	DataDir string
	Listen  string
	Version string
	Log     *slog.Logger // required
	// Ready is called once the host answers; nil: nobody.
	Ready func(url string)
	// Reload says that the lock file is to be read anew; nil: never.
	Reload <-chan struct{}
}

// Serve runs the host until ctx ends. What runs on the platforms goes on without
// it. Errors that a person can mend are *deployment.Error.
func Serve(ctx context.Context, options Options) (err error) {
	log := options.Log
	settings, err := config.LoadIn(options.ConfigPath, options.DataDir)
	if err != nil {
		return err
	}
	if options.Listen != "" {
		if err := settings.ListenOn(options.Listen); err != nil {
			return err
		}
	}
	for _, warning := range settings.Warnings {
		log.Warn("config.hcl", "problem", warning.String())
	}
	if os.Geteuid() == 0 {
		log.Warn("the host runs as root, and so do its plugins and all that they start; run it as another user, or give the process platform one")
	}
	h := &host{options: options, settings: settings, log: log}
	defer func() { err = errors.Join(err, h.close(context.WithoutCancel(ctx))) }()
	if err := h.open(ctx); err != nil {
		return err
	}
	return h.run(ctx)
}

// host is the parts of a running host.
type host struct {
	options  Options
	settings *config.Config
	log      *slog.Logger

	store      *sqlite.Store
	bus        *memory.Bus
	access     *access.Access
	supervisor *platform.Supervisor
	changes    changes // of platforms
	engine     *engine.Engine
	jobs       *jobs.Runner
	server     *server.Server
	hostFile   string
}

// open makes the parts, each from those before it.
func (h *host) open(ctx context.Context) error {
	if err := os.MkdirAll(h.settings.DataDir, 0o700); err != nil {
		return &deployment.Error{
			Code: deployment.Invalid, Err: err,
			Message: fmt.Sprintf("host.data_dir: make data directory %s: %v", h.settings.DataDir, err),
			Remedy:  "name another in config.hcl or with --data-dir",
		}
	}
	if err := h.openStore(ctx); err != nil {
		return err
	}
	h.bus = memory.New()
	h.access = access.New(h.store, access.Config{Anonymous: h.settings.Server.Anonymous == deployment.RoleViewer})
	if err := h.access.EnsureLocal(ctx, h.settings.DataDir, deployment.Actor{Kind: deployment.ActorHost, Name: hostName}); err != nil {
		return err
	}
	if err := h.openPlatforms(); err != nil {
		return err
	}
	applications := config.NewApplications(h.settings, specs{h.supervisor})
	h.engine = engine.New(engine.Config{
		Store: h.store, Platforms: h.supervisor, Definitions: applications,
		Checker: health.New(health.Config{}), Bus: h.bus, Log: h.log.With("part", "engine"), Host: hostName,
		Confide: h.supervisor.Confide,
	})
	h.jobs = jobs.New(h.log.With("part", "jobs"))
	if err := h.jobs.Register("retention", retention, func(ctx context.Context) error {
		_, err := h.store.Retain(ctx, h.settings.Keep.Count, h.settings.Keep.Age)
		return err
	}); err != nil {
		return err
	}
	if err := h.jobs.Register("token use", useRecorded, h.access.RecordUse); err != nil {
		return err
	}
	return h.openServer(ctx, applications)
}

// openStore opens the key and the database.
func (h *host) openStore(ctx context.Context) error {
	path := filepath.Join(h.settings.DataDir, DatabaseFile)
	exists, err := sqlite.Exists(path)
	if err != nil {
		return err
	}
	sealer, err := seal.Open(h.settings.DataDir, exists)
	if err != nil {
		return err
	}
	h.store, err = sqlite.Open(ctx, sqlite.Config{Path: path, Sealer: sealer, HostID: hostName})
	return err
}

// openPlatforms starts the platforms of config.hcl.
func (h *host) openPlatforms() error {
	catalog, err := Catalog(h.settings, h.log.With("part", "plugin"))
	if err != nil {
		return err
	}
	h.supervisor, err = platform.NewSupervisor(platform.SupervisorConfig{
		Catalog: catalog, Platforms: platformSpecs(h.settings), Log: h.log.With("part", "platform"),
		Setup:   Setup(h.settings, h.options.Version, h.store.InstallationID()),
		Changed: h.changed(),
	})
	return err
}

// changed is told each state of each platform.
func (h *host) changed() func(platform.State) {
	log := platform.WhenPhaseChanges(func(state platform.State) {
		h.log.Info("platform", "platform", state.Platform, "state", string(state.Phase), "reason", state.Reason)
	})
	return func(state platform.State) {
		log(state)
		h.changes.ring()
	}
}

// openServer takes the port.
func (h *host) openServer(ctx context.Context, applications *config.Applications) error {
	s := h.settings.Server
	var err error
	h.server, err = server.New(server.Config{
		Listen: s.Listen, AllowedHosts: s.AllowedHosts, AllowedOrigins: s.AllowedOrigins,
		Ping: s.WebSocket.Ping, Idle: s.WebSocket.Idle, Buffer: s.WebSocket.Buffer,
		HostName: hostName, Version: h.options.Version,
	}, server.Parts{
		Engine: h.engine, Store: h.store, Bus: h.bus, Authenticator: h.access, Tokens: h.access,
		Plugins: plugins{h.supervisor, h.settings, h.engine, &h.changes}, Applications: definitions{applications},
	}, h.log.With("part", "server"))
	if err != nil {
		return err
	}
	return h.server.Listen(ctx)
}

// run serves until ctx ends.
func (h *host) run(ctx context.Context) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 4)
	go func() { ended <- h.server.Serve(working) }()
	go func() { ended <- h.engine.Run(working) }()
	go func() { ended <- h.jobs.Run(working) }()
	var reloading sync.WaitGroup
	reloading.Go(func() { h.reload(working) })
	h.awaitPlatforms(ctx)
	url, err := h.announce()
	if err != nil {
		ended <- err
	}
	h.log.Info("the host answers", "url", url, "data_dir", h.settings.DataDir, "version", h.options.Version)
	if h.options.Ready != nil {
		h.options.Ready(url)
	}
	var first error
	running := 3
	select {
	case <-ctx.Done():
	case first = <-ended: // a part that ends by itself takes the host with it
		if err == nil {
			running--
		}
	}
	stop()
	reloading.Wait()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	errs := []error{first, h.server.Shutdown(closing)}
	for ; running > 0; running-- {
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// awaitPlatforms waits, not for long, until each platform is ready or has said
// why not, so that whoever is told that the host answers can start at once.
func (h *host) awaitPlatforms(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, startup)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		starting := false
		for _, state := range h.supervisor.States() {
			starting = starting || state.Phase == platform.Absent || state.Phase == platform.Starting
		}
		if !starting {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// close ends the parts in reverse order.
func (h *host) close(ctx context.Context) error {
	var errs []error
	if h.hostFile != "" {
		if err := os.Remove(h.hostFile); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if h.supervisor != nil {
		closing, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		errs = append(errs, h.supervisor.Close(closing))
	}
	if h.access != nil {
		errs = append(errs, h.access.RecordUse(ctx))
	}
	if h.store != nil {
		errs = append(errs, h.store.Close())
	}
	return errors.Join(errs...)
}

// urlOf is where a client on this machine finds the server.
func urlOf(address net.Addr) string {
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return "http://" + address.String()
	}
	ip := net.ParseIP(host)
	switch {
	case ip != nil && ip.IsLoopback(), ip != nil && ip.IsUnspecified():
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
