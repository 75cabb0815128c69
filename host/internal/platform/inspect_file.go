package platform

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// InspectFile starts a binary that no config.hcl names, without a configuration,
// asks what it is, whatever it is called, and stops it. Its checksum is pinned
// nowhere: only who asks for it vouches for the binary.
func InspectFile(ctx context.Context, path string) (_ sdk.Description, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return sdk.Description{}, fmt.Errorf("find the directory of %q: %w", path, err)
	}
	plugin := Plugin{Name: filepath.Base(path), Path: path, Dev: true}
	if err := checkBinary(plugin); err != nil {
		return sdk.Description{}, ofFile(path, err)
	}
	c, err := NewCatalog(CatalogConfig{})
	if err != nil {
		return sdk.Description{}, err
	}
	p, err := start(ctx, c.launch(Pin{Plugin: plugin}, "", path))
	if err != nil {
		return sdk.Description{}, ofFile(path, err)
	}
	defer func() { err = errors.Join(err, p.stop(ctx)) }()
	description, err := c.asked(ctx, p, Pin{Plugin: plugin})
	if err != nil {
		return description, err
	}
	return description, wellFormed(description, Pin{Plugin: plugin})
}

// ofFile advises who named a file: there is no config.hcl, and no log of a host.
func ofFile(path string, err error) error {
	var e *deployment.Error
	switch {
	case !errors.As(err, &e):
	case e.Remedy == ownerRemedy:
		e.Remedy = "is it a plugin? apm plugin test " + path + " shows how far it gets"
	case strings.Contains(e.Remedy, "config.hcl"):
		e.Remedy = "build it, or name the plugin's one file where it is"
	}
	return err
}
