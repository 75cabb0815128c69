package platform

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// CatalogConfig is what a Catalog needs.
type CatalogConfig struct {
	Plugins  []Plugin     // of config.hcl
	LockFile string       // apm.lock.hcl beside config.hcl; need not exist
	DataDir  string       // the host's; private copies lie below it
	RunDir   string       // where run directories are made; default $XDG_RUNTIME_DIR, else /tmp
	Log      *slog.Logger // what plugins log; nil: nowhere
	Times    Times        // zero: the defaults
}

// Catalog knows the plugins that may run. It is safe for concurrent use.
type Catalog struct {
	config  CatalogConfig
	plugins map[string]Plugin
	names   []string // as in config.hcl

	installing sync.Mutex
	verified   map[string]bool // private copies whose checksum was seen by this process

	confiding sync.Mutex
	secrets   map[string]*secrets // by platform
}

// NewCatalog returns a catalog, or what contradicts itself in the configuration.
func NewCatalog(config CatalogConfig) (*Catalog, error) {
	c := &Catalog{config: config, plugins: map[string]Plugin{}, verified: map[string]bool{}}
	if c.config.Log == nil {
		c.config.Log = slog.New(slog.DiscardHandler)
	}
	c.config.Times = config.Times.withDefaults()
	for _, p := range config.Plugins {
		if err := p.validate(); err != nil {
			return nil, err
		}
		if _, twice := c.plugins[p.Name]; twice {
			return nil, fmt.Errorf("plugin %q stands twice", p.Name)
		}
		c.plugins[p.Name] = p
		c.names = append(c.names, p.Name)
	}
	return c, nil
}

// Plugins returns the plugins in the order of config.hcl.
func (c *Catalog) Plugins() []Plugin {
	plugins := make([]Plugin, len(c.names))
	for i, name := range c.names {
		plugins[i] = c.plugins[name]
	}
	return plugins
}

// Pin is a binary that may run.
type Pin struct {
	Plugin  Plugin
	SHA256  string
	Version string // by the lock file; "" where that says nothing
	Path    string // of the private copy; "" before Install
}

// Verify finds the plugin's binary and compares its checksum with the pinned
// one. The error is a *deployment.Error with a remedy.
func (c *Catalog) Verify(ctx context.Context, name string) (Pin, error) {
	p, err := c.plugin(name)
	if err != nil {
		return Pin{}, err
	}
	if err := checkBinary(p); err != nil {
		return Pin{}, err
	}
	pin, where, err := c.pinned(p)
	if err != nil {
		return Pin{}, err
	}
	sum, err := sumFile(ctx, p.Path)
	switch {
	case err != nil:
		return Pin{}, unusable(err, "give the host's user the right to read it", "plugin %q: read %s: %v", name, p.Path, err)
	case pin.SHA256 == "":
		pin.SHA256 = sum
	case pin.SHA256 != sum:
		remedy := "run `apm plugin lock`"
		if p.SHA256 != "" {
			remedy = "write the new checksum there"
		}
		return Pin{}, unusable(nil, "if you rebuilt or replaced it on purpose, "+remedy+"; else do not run it",
			"plugin %q: %s has sha256 %s, but %s pins %s", name, p.Path, sum, where, pin.SHA256)
	}
	return pin, nil
}

// pinned returns what is pinned for p, and where; without a checksum only for a
// plugin in development.
func (c *Catalog) pinned(p Plugin) (pin Pin, where string, err error) {
	pin = Pin{Plugin: p, SHA256: p.SHA256}
	if p.Dev && p.SHA256 == "" {
		return pin, "", nil
	}
	blocks, err := readLock(c.config.LockFile)
	if err != nil {
		return pin, "", err
	}
	block, inLock := blocks[p.Name]
	switch {
	case p.SHA256 != "" && inLock && block.SHA256 == p.SHA256:
		pin.Version = block.Version
		return pin, "the plugin block of config.hcl", nil
	case p.SHA256 != "":
		return pin, "the plugin block of config.hcl", nil
	case inLock:
		pin.SHA256, pin.Version = block.SHA256, block.Version
		return pin, filepath.Base(c.config.LockFile), nil
	default:
		return pin, "", unusable(nil, lockRemedy+", or set dev = true in its plugin block while you develop it",
			"plugin %q: no checksum is pinned for it, neither in its plugin block nor in %s", p.Name, filepath.Base(c.config.LockFile))
	}
}

func (c *Catalog) plugin(name string) (Plugin, error) {
	p, known := c.plugins[name]
	if !known {
		return Plugin{}, &deployment.Error{
			Code: deployment.NotFound, Message: fmt.Sprintf("plugin %q is not in config.hcl", name),
			Remedy: "known plugins: " + list(c.names),
		}
	}
	return p, nil
}

// matches compares what a binary says about itself with what it was pinned as.
func (p Pin) matches(d sdk.Description) error {
	if d.Name != p.Plugin.Name {
		return unusable(nil, fmt.Sprintf("correct the path of plugin %q in config.hcl, or name the block %q", p.Plugin.Name, d.Name),
			"plugin %q: %s calls itself %q", p.Plugin.Name, p.Plugin.Path, d.Name)
	}
	if p.Version != "" && d.Version != p.Version {
		return unusable(nil, lockRemedy, "plugin %q: the binary says that it is version %s, the lock file says %s",
			p.Plugin.Name, d.Version, p.Version)
	}
	return nil
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	sorted := slices.Sorted(slices.Values(names))
	return strings.Join(sorted, ", ")
}
