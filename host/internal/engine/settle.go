package engine

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// settle ends the operations that the deploy left open: cancelled where the
// platform can, else awaited. Those of the excepted components stay as they are.
func (o *owner) settle(ctx context.Context, d *deployment.Deployment, except ...string) error {
	var open []string
	o.read(func() {
		for i := range d.Runs[0].Steps {
			if op := d.Runs[0].Steps[i].Operation(); op != nil && op.Outcome == nil && !slices.Contains(except, d.Runs[0].Steps[i].Component) {
				open = append(open, d.Runs[0].Steps[i].Component)
			}
		}
	})
	errs := make([]error, len(open))
	var all sync.WaitGroup
	for i, name := range open {
		all.Add(1)
		go func() {
			defer all.Done()
			errs[i] = named(o.settleOne(ctx, d, name), name)
		}()
	}
	all.Wait()
	return errors.Join(errs...)
}

// settleOne ends one open operation of the deploy.
func (o *owner) settleOne(ctx context.Context, d *deployment.Deployment, name string) error {
	f, err := o.openFlight(d, name)
	if err != nil {
		return err
	}
	started, err := f.recover(ctx)
	if err != nil {
		return err
	}
	if f.ended() {
		return nil
	}
	if !started {
		return f.refuse(errors.New("not started, and not wanted any more"))
	}
	if err := f.cancel(ctx); err != nil {
		return err
	}
	return f.watch(ctx)
}

// openFlight is the flight of the deploy run's operation on a component.
func (o *owner) openFlight(d *deployment.Deployment, name string) (*flight, error) {
	var component deployment.Component
	o.read(func() { component = *d.Component(name) })
	f := &flight{
		o: o, d: d, run: 0, component: name, platform: component.Platform,
		target: o.targetFor(d, &component),
	}
	if component.Dropped {
		f.snapshot, f.digest = &sdk.Snapshot{Empty: true}, "empty"
		return f, nil
	}
	release, err := o.frozen(&component)
	if err != nil {
		return nil, err
	}
	f.release, f.digest = release, releaseDigest(release)
	return f, nil
}

// cancel asks the platform to stop the operation. Where it cannot, the
// operation is awaited.
func (f *flight) cancel(ctx context.Context) error {
	if err := f.o.commit(f.d, func(c *change) { f.step().Operation().CancelAt = c.now }); err != nil {
		return err
	}
	err := f.o.ask(ctx, f.d, f.component, f.platform, "cancel the operation", func(ctx context.Context, p sdk.Platform) error {
		canceller, cancels := p.(sdk.Canceller)
		if !cancels || !sdk.CapabilitiesOf(p).Cancel {
			return nil
		}
		op, _ := f.op()
		return canceller.Cancel(ctx, sdk.CancelRequest{
			Operation: operationOf(f.d, &op, f.o.epoch), Target: f.target, Handle: toHandle(op.Handle),
		})
	})
	if sdk.ReasonOf(err) == sdk.ReasonStaleEpoch {
		f.o.lose()
	}
	return err
}
