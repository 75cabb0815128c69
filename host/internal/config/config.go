package config

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// LockFile is the name of the file beside config.hcl that pins the plugins.
const LockFile = "apm.lock.hcl"

// Config is config.hcl.
type Config struct {
	File string // as it was named to Load, or found
	Dir  string // absolute: where its relative paths begin

	DataDir            string // absolute; default ~/.local/share/apm
	Server             Server
	DefaultPlatform    string   // "" where none is named
	DefaultEnvironment string   // "" where none is named
	ApplicationGlobs   []string // absolute; default applications/*.hcl
	Keep               Keep
	Warnings           []deployment.Problem

	plugins   []Plugin
	platforms []Platform
}

// Server is the server's part of config.hcl.
type Server struct {
	// Listen is host:port; the host localhost means every loopback address.
	// Default localhost:8080.
	Listen string
	// AllowedHosts are the Host headers that are answered, without port. Default
	// localhost, 127.0.0.1, [::1], and the host of Listen where it names one.
	AllowedHosts []string
	// AllowedOrigins are the Origin headers that are answered, beside none at
	// all. Default http at each allowed host and the port that Listen got.
	AllowedOrigins []string
	// Anonymous is the role of a caller without token: viewer or "" (default).
	Anonymous deployment.Role
	WebSocket WebSocket
}

// WebSocket says how connections are kept.
type WebSocket struct {
	Ping   time.Duration // between pings; default 15 s
	Idle   time.Duration // without any sign of the client, until it is cut; default 60 s
	Buffer int           // messages that wait for a slow client before it is cut; default 256
}

// Keep says how much history is kept.
type Keep struct {
	Count int           // deployments per target; default 50
	Age   time.Duration // older ones go; default 90 days
}

// Plugin is a binary that config.hcl names.
type Plugin struct {
	Name        string
	Path        string   // absolute
	SHA256      string   // lower case hex; "" where only the lock file pins it
	Environment []string // names of variables that it may inherit
	Dev         bool     // its checksum is not enforced
	LogLevel    string   // trace, debug, info (default), warn or error
	MemoryLimit int64    // bytes that its process may take; 0: no limit
	OpenFiles   int      // descriptors that it may have; 0: no limit of its own
}

// Platform is a configured instance of a plugin.
type Platform struct {
	Name    string
	Plugin  string
	Monitor deployment.Monitor

	at   place
	body *body // less what is the host's
}

// LockPath is the path of the lock file.
func (c *Config) LockPath() string { return filepath.Join(c.Dir, LockFile) }

// Plugins returns the plugins in the order of config.hcl.
func (c *Config) Plugins() []Plugin { return slices.Clone(c.plugins) }

// Platforms returns the platforms: those of deployment {} first, each part in
// the order of config.hcl.
func (c *Config) Platforms() []Platform { return slices.Clone(c.platforms) }

// Platform returns the platform of that name.
func (c *Config) Platform(name string) (Platform, bool) {
	for _, p := range c.platforms {
		if p.Name == name {
			return p, true
		}
	}
	return Platform{}, false
}

func (c *Config) platformNames() []string {
	var names []string
	for _, p := range c.platforms {
		names = append(names, p.Name)
	}
	return names
}

// display renders an absolute path as a person at config.hcl's directory would
// write it.
func (c *Config) display(path string) string {
	rel, err := filepath.Rel(c.Dir, path)
	if err != nil || !filepath.IsLocal(rel) {
		return path
	}
	return filepath.Join(filepath.Dir(c.File), rel)
}
