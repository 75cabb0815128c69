package platform

import (
	"context"
	"sync"

	"github.com/apm-deploy/apm/sdk"
)

// Once starts and configures one platform without a supervisor, for a command
// that needs it for a moment. stop must be called; it drains nothing, and leaves
// nothing. The end of ctx does not end the process.
func (c *Catalog) Once(ctx context.Context, spec Spec, setup Setup) (_ sdk.Platform, stop func() error, _ error) {
	pin, err := c.Install(ctx, spec.Plugin)
	if err != nil {
		return nil, nil, err
	}
	p, err := start(ctx, c.launch(pin, spec.Name, pin.Path))
	if err != nil {
		return nil, nil, err
	}
	log := c.config.Log.With("plugin", spec.Plugin, "platform", spec.Name)
	if _, err := c.configure(ctx, p, pin, spec, setup, log); err != nil {
		_ = p.discard() // why it could not be used is the error
		return nil, nil, err
	}
	return p.platform, sync.OnceValue(func() error { return p.stop(context.WithoutCancel(ctx)) }), nil
}
