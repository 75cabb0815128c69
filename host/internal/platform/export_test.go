package platform

import (
	"context"
	"errors"
)

// Handshake starts a plugin, stops it, and returns the line by which it began.
func Handshake(ctx context.Context, c *Catalog, name string) (string, error) {
	pin, err := c.Verify(ctx, name)
	if err != nil {
		return "", err
	}
	p, err := start(ctx, c.launch(pin, "", pin.Plugin.Path))
	if err != nil {
		return "", err
	}
	return p.child.out.text(), errors.Join(p.discard())
}
