package plugintest

import (
	"context"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// neverGiven asks about an operation that the plugin was never given: where nothing
// runs, and beside one that it was given.
func neverGiven(b *bench) {
	ask := func(where string) {
		b.Helper()
		r := &run{target: b.v1(), operation: b.operation(sdk.OperationDeploy)}
		err := b.watch(b.ctx(), r, nil, ignore)
		b.wantRefused("Watch of an operation that was never given, "+where, err, sdk.NotFound, sdk.ReasonNotFound)
		if b.suite.description.Capabilities.Cancel {
			err = b.client.Cancel(b.ctx(), sdk.CancelRequest{Operation: r.operation, Target: r.target})
			b.wantRefused("Cancel of an operation that was never given, "+where, err, sdk.NotFound, sdk.ReasonNotFound)
		}
		if b.suite.description.Capabilities.Staged {
			_, err = b.client.Promote(b.ctx(), sdk.PromoteRequest{Operation: r.operation, Target: r.target, Percent: 100})
			b.wantRefused("Promote of an operation that was never given, "+where, err, sdk.NotFound, sdk.ReasonNotFound)
		}
		recovery, err := b.client.Recover(b.ctx(), sdk.RecoverRequest{Operation: r.operation, Target: r.target})
		if err != nil || recovery.Status != sdk.RecoverNotStarted && recovery.Status != sdk.RecoverUnknown {
			b.Errorf("Recover of an operation that was never given, %s: want NOT_STARTED, or UNKNOWN where that cannot be proven, got %s %v",
				where, recoverStatus(recovery.Status), err)
		}
	}
	ask("where nothing runs")
	b.deploy(b.v1())
	digest := b.observed()
	ask("where another operation was given")
	b.equal("observed digest after questions about an operation that was never given", digest, b.observed())
}

// absentRefused calls what Describe does not name.
func absentRefused(b *bench) {
	can := b.suite.description.Capabilities
	operation := b.operation(sdk.OperationDeploy)
	asked := 0
	for _, one := range []struct {
		name string
		has  bool
		call func(context.Context) error
	}{
		{"plan", can.Plan, func(ctx context.Context) error {
			_, err := b.client.Plan(ctx, sdk.PlanRequest{Kind: sdk.OperationRollback, Target: b.target, Snapshot: &sdk.Snapshot{Empty: true}})
			return err
		}},
		{"staged", can.Staged, func(ctx context.Context) error {
			_, err := b.client.Promote(ctx, sdk.PromoteRequest{Operation: operation, Target: b.target, Percent: 100})
			return err
		}},
		{"cancel", can.Cancel, func(ctx context.Context) error {
			return b.client.Cancel(ctx, sdk.CancelRequest{Operation: operation, Target: b.target})
		}},
		{"watch_target", can.WatchTarget, func(ctx context.Context) error {
			return b.client.WatchTarget(ctx, sdk.WatchTargetRequest{Target: b.target}, func(...sdk.Event) error { return errStop })
		}},
		{"logs", can.Logs, func(ctx context.Context) error {
			return b.client.Logs(ctx, sdk.LogsRequest{Target: b.target}, func(...sdk.LogLine) error { return nil })
		}},
		{"inventory", can.Inventory, func(ctx context.Context) error {
			_, err := b.client.Inventory(ctx, "")
			return err
		}},
	} {
		if one.has {
			continue
		}
		asked++
		if err := one.call(b.ctx()); sdk.CodeOf(err) != sdk.Unimplemented {
			b.Errorf("the capability %s is not in Describe, and its call must be UNIMPLEMENTED: got %s %v; name it in Describe, or do not answer",
				one.name, sdk.CodeOf(err), err)
		}
	}
	if asked == 0 {
		b.Skip("the plugin has every capability")
	}
}

// recoverBeside asks, as a host that took over, what became of a Deploy that is
// still under way in the plugin.
func recoverBeside(b *bench) {
	b.deploy(b.v2())
	want := b.observed()
	b.rollback(sdk.Snapshot{Empty: true})
	before := b.observed()
	target := b.v2()
	release := b.resolve(target)
	for _, after := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond} {
		r := &run{target: target, operation: b.operation(sdk.OperationDeploy), release: &release}
		answered := make(chan error, 1)
		ctx, request := b.ctx(), r.deployRequest()
		b.used = true
		go func() {
			_, err := b.client.Deploy(ctx, request)
			answered <- err
		}()
		select {
		case err := <-answered:
			answered <- err
		case <-time.After(after):
		}
		b.epoch++
		r.operation.Epoch = b.epoch
		recovery, err := b.client.Recover(b.ctx(), r.recoverRequest())
		if err != nil {
			b.Fatalf("Recover %v after a Deploy that is under way: %v", after, err)
		}
		deployed := ends(b, "Deploy beside Recover", answered)
		if recovery.Status == sdk.RecoverNotStarted {
			if deployed == nil {
				b.Errorf("Recover %v after a Deploy says NOT_STARTED, and the Deploy was accepted afterwards: "+
					"wait for calls that are under way, or refuse them by the epoch that Recover brought", after)
			}
			b.equal("observed digest after Recover said NOT_STARTED", before, b.observed())
		}
		b.driveFrom(r, recovery)
		b.equal("observed digest after Recover beside a Deploy", want, b.observed())
		b.rollback(sdk.Snapshot{Empty: true})
	}
}

// recoverStatus is the name of a status in the contract.
func recoverStatus(status sdk.RecoverStatus) string {
	switch status {
	case sdk.RecoverNotStarted:
		return "NOT_STARTED"
	case sdk.RecoverRunning:
		return "RUNNING"
	case sdk.RecoverFinished:
		return "FINISHED"
	case sdk.RecoverUnknown:
		return "UNKNOWN"
	default:
		return "no status"
	}
}
