package plugintest

import (
	"context"
	"errors"
	"fmt"

	"github.com/apm-deploy/apm/sdk"
)

// ErrNotStarted is matched by errors about a binary that does not start as a
// plugin: it cannot be run, or does not say where it serves.
var ErrNotStarted = errors.New("the plugin does not start")

// Describe starts a plugin as [Start] does, asks it about itself, and ends it.
// env is added to the environment of the contract ("NAME=value").
func Describe(ctx context.Context, command []string, env ...string) (sdk.Description, error) {
	c := &check{name: "describe", ctx: ctx}
	var description sdk.Description
	err := errors.New("it panics")
	ended := make(chan struct{})
	go c.apart(func() {
		defer close(ended)
		var p *Process
		if p, err = start(c, command, env); err != nil {
			err = fmt.Errorf("%w: %w", ErrNotStarted, err)
			if log := oneLine(p.Logs()); log != "" {
				err = fmt.Errorf("%w\nits log:\n%s", err, log)
			}
			return
		}
		description, err = p.Client().Describe(ctx)
	})
	select {
	case <-ended:
	case <-ctx.Done():
		c.cleanUp() // which ends the process, and so the wait for its first line
		<-ended
	}
	c.cleanUp()
	return description, err
}
