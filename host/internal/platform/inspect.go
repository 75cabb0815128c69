package platform

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/apm-deploy/apm/sdk"
)

// Inspect verifies a plugin, starts it without a configuration, asks what it is
// and stops it. It needs no data directory and no host.
func (c *Catalog) Inspect(ctx context.Context, name string) (sdk.Description, error) {
	pin, err := c.Verify(ctx, name)
	if err != nil {
		return sdk.Description{}, err
	}
	return c.ask(ctx, pin)
}

// ask runs the binary where it lies.
func (c *Catalog) ask(ctx context.Context, pin Pin) (_ sdk.Description, err error) {
	p, err := start(ctx, c.launch(pin, "", pin.Plugin.Path))
	if err != nil {
		return sdk.Description{}, err
	}
	defer func() { err = errors.Join(err, p.stop(ctx)) }()
	return c.describe(ctx, p, pin)
}

func (c *Catalog) launch(pin Pin, platform, path string) launch {
	return launch{
		plugin: pin.Plugin, platform: platform, path: path, secrets: c.secretsOf(platform),
		runBase: c.config.RunDir, log: c.config.Log, times: c.config.Times,
	}
}

// Locked is a plugin as the lock file has it now.
type Locked struct {
	Name    string
	Version string
	SHA256  string
	Changed bool // by this call
}

// Lock pins the binaries of the named plugins, or of all, in the lock file. Each
// is started once to say its name and version. Blocks of other plugins stay; on
// an error the file stays as it was.
func (c *Catalog) Lock(ctx context.Context, names ...string) ([]Locked, error) {
	if c.config.LockFile == "" {
		return nil, errors.New("lock plugins: no lock file is named")
	}
	if len(names) == 0 {
		names = c.names
	}
	blocks, err := readLock(c.config.LockFile)
	if err != nil {
		return nil, err
	}
	result := make([]Locked, 0, len(names))
	for _, name := range names {
		block, err := c.look(ctx, name)
		if err != nil {
			return nil, err
		}
		result = append(result, Locked{Name: name, Version: block.Version, SHA256: block.SHA256, Changed: blocks[name] != block})
		blocks[name] = block
	}
	return result, writeLock(c.config.LockFile, blocks)
}

// look reads a binary as it is now. It must not change meanwhile: the version
// belongs to the checksum.
func (c *Catalog) look(ctx context.Context, name string) (locked, error) {
	p, err := c.plugin(name)
	if err != nil {
		return locked{}, err
	}
	if err := checkBinary(p); err != nil {
		return locked{}, err
	}
	before, err := sumFile(ctx, p.Path)
	if err != nil {
		return locked{}, fmt.Errorf("read plugin %q: %w", name, err)
	}
	if p.SHA256 != "" && p.SHA256 != before {
		return locked{}, unusable(nil, "correct sha256 in its plugin block, or remove it there",
			"plugin %q: %s has sha256 %s, but the plugin block of config.hcl pins %s", name, p.Path, before, p.SHA256)
	}
	description, err := c.ask(ctx, Pin{Plugin: p, SHA256: before})
	if err != nil {
		return locked{}, err
	}
	after, err := sumFile(ctx, p.Path)
	if err != nil {
		return locked{}, fmt.Errorf("read plugin %q: %w", name, err)
	}
	if before != after {
		return locked{}, unusable(nil, "wait for the build to end, then "+lockRemedy,
			"plugin %q: %s changed while it was locked", name, filepath.Base(p.Path))
	}
	return locked{Name: name, Version: description.Version, SHA256: after}, nil
}
