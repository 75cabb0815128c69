package fake

import (
	"context"
	"log/slog"
	"sync"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// faulty is the platform with its faults: each call asks them before and after it
// asks the platform that works.
type faulty struct {
	*platform

	faults  *faults
	variant Variant
	closing sync.Once
}

// Everything that the fake can do.
var (
	_ sdk.Platform        = (*faulty)(nil)
	_ sdk.Validator       = (*faulty)(nil)
	_ sdk.Planner         = (*faulty)(nil)
	_ sdk.PercentPromoter = (*faulty)(nil)
	_ sdk.Canceller       = (*faulty)(nil)
	_ sdk.TargetWatcher   = (*faulty)(nil)
	_ sdk.LogReader       = (*faulty)(nil)
	_ sdk.HealthReporter  = (*faulty)(nil)
	_ sdk.Inventorier     = (*faulty)(nil)
	_ sdk.Closer          = (*faulty)(nil)
)

func newFaulty(v Variant, log *slog.Logger) *faulty {
	f := &faults{log: log, gone: make(chan struct{}), root: v.startRoot(), binary: v.Faults, fixed: v.Faults}
	if err := f.recall(); err != nil {
		log.Error("read remembered faults", "error", err)
	}
	return &faulty{
		platform: &platform{
			log: log, gone: f.gone, breaks: f.breaks, changed: make(chan struct{}), driven: map[string]bool{}, seen: map[string]bool{},
			watched: map[string]int{},
		},
		faults: f, variant: v,
	}
}

// Capabilities are those of the variant.
func (p *faulty) Capabilities() sdk.Capabilities { return p.variant.capabilities() }

// Close lets go of what hangs, and waits for what runs beside the calls.
func (p *faulty) Close(context.Context) error {
	p.closing.Do(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		close(p.faults.gone)
	})
	p.background.Wait()
	return nil
}

// around runs one call between its faults.
func around[R any](p *faulty, m moment, call func() (R, error)) (R, error) {
	var none R
	if err := p.absent(m); err != nil {
		return none, err
	}
	if err := p.answer(m); err != nil {
		return none, err
	}
	result, err := call()
	if err != nil {
		return result, err
	}
	m.after = true
	if err := p.answer(m); err != nil {
		return none, err
	}
	return result, nil
}

// answer returns the error that a fault gives for an answer.
func (p *faulty) answer(m moment) error {
	one, strikes := p.faults.first(m, kindError, kindPanic)
	switch {
	case !strikes:
		return nil
	case one.kind() == kindPanic:
		panic("the fault " + one.Label + " strikes: " + one.Message)
	default:
		return one.failure()
	}
}

func (p *faulty) Validate(ctx context.Context, config, spec []byte) (diag.Diagnostics, error) {
	return around(p, moment{call: "validate"}, func() (diag.Diagnostics, error) { return p.platform.Validate(ctx, config, spec) })
}

func (p *faulty) Configure(ctx context.Context, r sdk.ConfigureRequest) (diag.Diagnostics, error) {
	var config Config
	ds := schema.Decode(r.Config, &config)
	if !ds.HasErrors() {
		ds = append(ds, p.checkConfig(config)...)
	}
	if ds.HasErrors() {
		return ds, nil
	}
	p.faults.configure(config.Root, config.Faults)
	if err := remember(config.Root, r.Config); err != nil {
		return nil, err
	}
	m := moment{call: "configure"}
	p.floodOutside(m)
	if one, refuses := p.faults.first(m, kindRefuse); refuses {
		message := one.Message
		if message == "" {
			message = "the fault \"" + one.Label + "\" refuses the platform block"
		}
		ds.Errorf([]string{"fault", one.Label}, "%s", message)
		return ds, nil
	}
	return around(p, m, func() (diag.Diagnostics, error) {
		more, err := p.platform.Configure(ctx, r)
		return append(ds, more...), err
	})
}

// early says whether a call comes before the platform block does.
func early(call string) bool { return call == callStart || call == "describe" }

// checkConfig finds mistakes in the faults of a platform block.
func (p *faulty) checkConfig(config Config) diag.Diagnostics {
	ds := checkFaults(config.Faults)
	for _, label := range sortedKeys(config.Faults) {
		one := config.Faults[label]
		one.Label = label
		if early(one.call()) && p.variant.startRoot() == "" {
			ds.Errorf([]string{"fault", label}, "a process learns of its platform block after its start: set %s, the same directory as root, "+
				"in the environment of the host, and let the plugin block pass it on (environment = [%q])", envRoot, envRoot)
		}
	}
	return ds
}

func (p *faulty) Resolve(ctx context.Context, r sdk.ResolveRequest) (release sdk.Release, ds diag.Diagnostics, err error) {
	release, err = around(p, moment{call: "resolve", target: r.Target}, func() (sdk.Release, error) {
		var one sdk.Release
		one, ds, err = p.platform.Resolve(ctx, r)
		return one, err
	})
	return release, ds, err
}

func (p *faulty) Snapshot(ctx context.Context, r sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	r.Target = p.other(r.Target)
	return around(p, moment{call: "snapshot", target: r.Target}, func() (sdk.SnapshotResult, error) { return p.platform.Snapshot(ctx, r) })
}

func (p *faulty) Plan(ctx context.Context, r sdk.PlanRequest) (sdk.Plan, error) {
	return around(p, moment{call: "plan", target: r.Target, kind: r.Kind}, func() (sdk.Plan, error) { return p.platform.Plan(ctx, r) })
}

func (p *faulty) Deploy(ctx context.Context, r sdk.DeployRequest) (sdk.Handle, error) {
	return around(p, moment{call: "deploy", target: r.Target, kind: r.Operation.Kind}, func() (sdk.Handle, error) {
		handle, err := p.platform.Deploy(ctx, r)
		return p.foreign(handle, r.Target, r.Operation), err
	})
}

func (p *faulty) Rollback(ctx context.Context, r sdk.RollbackRequest) (sdk.Handle, error) {
	return around(p, moment{call: "rollback", target: r.Target, kind: r.Operation.Kind}, func() (sdk.Handle, error) {
		handle, err := p.platform.Rollback(ctx, r)
		return p.foreign(handle, r.Target, r.Operation), err
	})
}

func (p *faulty) Promote(ctx context.Context, r sdk.PromoteRequest) (sdk.Handle, error) {
	return around(p, moment{call: "promote", target: r.Target, kind: r.Operation.Kind}, func() (sdk.Handle, error) {
		return p.platform.Promote(ctx, r)
	})
}

func (p *faulty) Cancel(ctx context.Context, r sdk.CancelRequest) error {
	_, err := around(p, moment{call: "cancel", target: r.Target, kind: r.Operation.Kind}, func() (struct{}, error) {
		return struct{}{}, p.platform.Cancel(ctx, r)
	})
	return err
}

func (p *faulty) Recover(ctx context.Context, r sdk.RecoverRequest) (sdk.Recovery, error) {
	m := moment{call: "recover", target: r.Target, kind: r.Operation.Kind}
	if one, forgets := p.faults.first(m, kindForget); forgets {
		if one.What == lieUnknown {
			return sdk.Recovery{Status: sdk.RecoverUnknown, Message: "the fault \"" + one.Label + "\" knows nothing"}, nil
		}
		return sdk.Recovery{Status: sdk.RecoverNotStarted}, nil
	}
	return around(p, m, func() (sdk.Recovery, error) {
		recovery, err := p.platform.Recover(ctx, r)
		if !recovery.Handle.IsZero() {
			recovery.Handle = p.foreign(recovery.Handle, r.Target, r.Operation)
		}
		return recovery, err
	})
}

func (p *faulty) Probe(ctx context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
	r.Target = p.other(r.Target)
	return around(p, moment{call: "probe", target: r.Target}, func() (sdk.ProbeResult, error) {
		result, err := p.platform.Probe(ctx, r)
		if p.faults.lasting(kindLie, lieRevision, r.Target, 0) {
			result.Revision = wrongRevision
		}
		if p.faults.lasting(kindLie, lieSuccess, r.Target, 0) {
			for i := range result.Checks {
				result.Checks[i].Status, result.Checks[i].Message = sdk.CheckUnhealthy, "unhealthy, whatever Watch says"
			}
		}
		return result, err
	})
}

func (p *faulty) Health(ctx context.Context, report func(sdk.Health) error) error {
	_, err := around(p, moment{call: "health"}, func() (struct{}, error) { return struct{}{}, p.platform.Health(ctx, report) })
	return err
}

func (p *faulty) Logs(ctx context.Context, r sdk.LogsRequest, send func(...sdk.LogLine) error) error {
	_, err := around(p, moment{call: "logs", target: r.Target}, func() (struct{}, error) {
		return struct{}{}, p.platform.Logs(ctx, r, send)
	})
	return err
}

func (p *faulty) Inventory(ctx context.Context, installation string) ([]sdk.InventoryItem, error) {
	return around(p, moment{call: "inventory"}, func() ([]sdk.InventoryItem, error) { return p.platform.Inventory(ctx, installation) })
}
