package platform

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

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
		return sdk.Description{}, err
	}
	c, err := NewCatalog(CatalogConfig{})
	if err != nil {
		return sdk.Description{}, err
	}
	p, err := start(ctx, c.launch(Pin{Plugin: plugin}, "", path))
	if err != nil {
		return sdk.Description{}, err
	}
	defer func() { err = errors.Join(err, p.stop(ctx)) }()
	description, err := c.asked(ctx, p, Pin{Plugin: plugin})
	if err != nil {
		return description, err
	}
	return description, wellFormed(description, Pin{Plugin: plugin})
}
