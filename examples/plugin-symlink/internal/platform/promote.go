package platform

import (
	"context"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
)

// Promote lets drive make a candidate current.
func (p *Platform) Promote(ctx context.Context, r sdk.PromoteRequest) (sdk.Handle, error) {
	err := p.change(ctx, r.Operation, r.Target, func(_ component.Dir, o *component.Operation) error {
		if !o.Reached(component.Candidate) {
			return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "operation %q has no candidate yet: wait for it on Watch", o.ID)
		}
		o.Promoted = true
		return nil
	})
	return handleOf(r.Operation.ID), err
}

// Cancel ends an operation whose release is not current yet, and removes its copy.
func (p *Platform) Cancel(ctx context.Context, r sdk.CancelRequest) error {
	return p.change(ctx, r.Operation, r.Target, func(dir component.Dir, o *component.Operation) error {
		if err := dir.Discard(o); err != nil {
			return answer("discard candidate", err)
		}
		o.End(component.Outcome{Result: component.Cancelled, Message: "cancelled: what was current is so still"})
		return nil
	})
}

// change changes an operation under way and drives it on. One that has ended stays
// as it is, and Watch tells how it ended.
func (p *Platform) change(
	ctx context.Context, o sdk.Operation, target sdk.Target, apply func(component.Dir, *component.Operation) error,
) error {
	dir, err := p.dir(target)
	if err != nil {
		return err
	}
	unlock, err := dir.Lock(ctx)
	if err != nil {
		return answer("lock component", err)
	}
	defer unlock()
	s, err := dir.Load()
	if err != nil {
		return answer("read stamps", err)
	}
	known, err := p.admit(s, o, target)
	switch {
	case err != nil:
		return err
	case known == nil:
		return sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "operation %q was never accepted here", o.ID)
	case known.Outcome == nil:
		if err := apply(dir, known); err != nil {
			return err
		}
	}
	if err := p.save(dir, s); err != nil {
		return err
	}
	p.drive(dir, known)
	return nil
}
