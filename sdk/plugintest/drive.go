package plugintest

import (
	"context"
	"errors"
	"fmt"

	"github.com/apm-deploy/apm/sdk"
)

// run is an operation under way.
type run struct {
	target    sdk.Target
	operation sdk.Operation
	release   *sdk.Release
	snapshot  *sdk.Snapshot
	retain    []string
	handle    sdk.Handle
	outcome   *sdk.Outcome
	events    []sdk.Event
}

// startDeploy has a deploy accepted.
func (b *bench) startDeploy(target sdk.Target, release sdk.Release, operation sdk.Operation) *run {
	b.Helper()
	r := &run{target: target, operation: operation, release: &release, retain: b.retain}
	var err error
	b.used = true
	if r.handle, err = b.client.Deploy(b.ctx(), r.deployRequest()); err != nil {
		b.Fatalf("Deploy of %s: %v", target.Version, err)
	}
	return r
}

func (r *run) deployRequest() sdk.DeployRequest {
	return sdk.DeployRequest{Operation: r.operation, Target: r.target, Release: *r.release, Retain: r.retain}
}

func (r *run) recoverRequest() sdk.RecoverRequest {
	return sdk.RecoverRequest{Operation: r.operation, Target: r.target, Handle: r.handle, Release: r.release, Snapshot: r.snapshot}
}

// startRollback has a rollback accepted.
func (b *bench) startRollback(snapshot sdk.Snapshot, operation sdk.Operation) *run {
	b.Helper()
	r := &run{target: b.target, operation: operation, snapshot: &snapshot}
	var err error
	r.handle, err = b.client.Rollback(b.ctx(), sdk.RollbackRequest{
		Operation: operation, Target: b.target, Snapshot: snapshot, Reason: "conformance", Retain: b.retain,
	})
	if err != nil {
		b.Fatalf("Rollback: %v", err)
	}
	return r
}

// deploy brings a target up, with all its traffic.
func (b *bench) deploy(target sdk.Target) *run {
	b.Helper()
	r := b.startDeploy(target, b.resolve(target), b.operation(sdk.OperationDeploy))
	b.finish(r)
	return r
}

// rollback goes back to a snapshot.
func (b *bench) rollback(snapshot sdk.Snapshot) *run {
	b.Helper()
	r := b.startRollback(snapshot, b.operation(sdk.OperationRollback))
	b.finish(r)
	return r
}

// finish follows an operation to its good end, promoting a candidate.
func (b *bench) finish(r *run) {
	b.Helper()
	b.follow(r, func(event sdk.Event) error { return b.promoteWhenUp(r, event, 100) })
	if r.outcome.Result != sdk.ResultSucceeded {
		b.Fatalf("operation %s of %s: want SUCCEEDED, got %s: %s %+v", r.operation.ID, r.target.Version,
			result(r.outcome.Result), r.outcome.Message, r.outcome.Failure)
	}
}

func (b *bench) promoteWhenUp(r *run, event sdk.Event, percent int) error {
	candidate := event.Candidate
	if event.State != nil {
		candidate = event.State.Candidate
	}
	if candidate == nil || candidate.Percent >= percent || !r.operation.Staged {
		return nil
	}
	return b.promote(r, percent)
}

func (b *bench) promote(r *run, percent int) error {
	handle, err := b.client.Promote(b.ctx(), sdk.PromoteRequest{
		Operation: r.operation, Target: r.target, Handle: r.handle, Percent: percent,
	})
	if err != nil {
		return fmt.Errorf("promote to %d %%: %w", percent, err)
	}
	if !handle.IsZero() {
		r.handle = handle
	}
	return nil
}

// errStop ends a Watch that the case has seen enough of.
var errStop = errors.New("seen enough")

// follow watches an operation until its outcome and checks the order of events.
func (b *bench) follow(r *run, each func(sdk.Event) error) {
	b.Helper()
	if err := b.watch(b.ctx(), r, nil, each); err != nil {
		b.Fatalf("Watch of operation %s: %v", r.operation.ID, err)
	}
}

// watch is one Watch. errStop from each ends it without an error.
func (b *bench) watch(ctx context.Context, r *run, token []byte, each func(sdk.Event) error) error {
	r.outcome = nil
	first := len(token) == 0
	err := b.client.Watch(ctx, sdk.WatchRequest{
		Target: r.target, Handle: r.handle, Operation: r.operation, ResumeToken: token,
	}, func(events ...sdk.Event) error {
		for _, event := range events {
			if first && event.State == nil && !event.Heartbeat { // which the SDK sends while it waits
				return errors.New("the first event of a fresh stream is not a State")
			}
			first = first && event.Heartbeat
			if r.outcome != nil {
				return errors.New("an event came after the outcome")
			}
			if event.Handle != nil {
				r.handle = *event.Handle
			}
			r.outcome = event.Outcome
			r.events = append(r.events, event.Clone())
			if err := each(event); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

func ignore(sdk.Event) error { return nil }

// untilCandidate follows a staged operation until its candidate gets percent.
func (b *bench) untilCandidate(r *run, percent int) *sdk.Candidate {
	b.Helper()
	var found *sdk.Candidate
	err := b.watch(b.ctx(), r, nil, func(event sdk.Event) error {
		candidate := event.Candidate
		if event.State != nil {
			candidate = event.State.Candidate
		}
		if candidate != nil && candidate.Percent == percent {
			found = candidate
			return errStop
		}
		if event.Outcome != nil {
			return fmt.Errorf("outcome %+v without a candidate at %d %%", event.Outcome, percent)
		}
		return nil
	})
	if err != nil || found == nil {
		b.Fatalf("wait for the candidate at %d %%: %v", percent, err)
	}
	return found
}

// lasting starts an operation that stays under way until somebody ends it: a
// candidate that waits, or SpecSlow.
func (b *bench) lasting() *run {
	b.Helper()
	r := b.startLasting()
	if r.operation.Staged {
		b.untilCandidate(r, 0)
	}
	return r
}

// startLasting does not wait for the candidate.
func (b *bench) startLasting() *run {
	b.Helper()
	target := b.v2()
	if !b.suite.description.Capabilities.Staged {
		target = b.at("slow", b.config.SpecSlow) // the case needs it
	}
	return b.startDeploy(target, b.resolve(target), b.operation(sdk.OperationDeploy))
}
