package platform

import (
	"context"
	"fmt"
	"time"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
)

// Deploy accepts a release; it is copied and made current by drive.
func (p *Platform) Deploy(ctx context.Context, r sdk.DeployRequest) (sdk.Handle, error) {
	to, err := decode(r.Release.Version, r.Release.State)
	if err != nil {
		return sdk.Handle{}, err
	}
	return p.accept(ctx, r.Operation, r.Target, wish{to.goal(), r.Target.Version, r.ExpectedDigest})
}

// wish is what an operation is to bring about.
type wish struct {
	goal     *component.Goal // nil: remove
	version  string
	expected string // digest of what is current now; "" for whatever it is
}

// accept writes an operation down: once it returns, the operation goes on, whatever
// happens to us.
func (p *Platform) accept(ctx context.Context, o sdk.Operation, target sdk.Target, w wish) (sdk.Handle, error) {
	dir, err := p.dir(target)
	if err != nil {
		return sdk.Handle{}, err
	}
	unlock, err := dir.Lock(ctx)
	if err != nil {
		return sdk.Handle{}, answer("lock component", err)
	}
	defer unlock()
	s, live, err := look(ctx, dir)
	if err != nil {
		return sdk.Handle{}, err
	}
	known, err := p.admit(s, o, target)
	if err != nil {
		return sdk.Handle{}, err
	}
	if known == nil {
		if known, err = enter(ctx, dir, s, live, o, w); err != nil {
			return sdk.Handle{}, err
		}
	}
	if err := p.save(dir, s); err != nil {
		return sdk.Handle{}, err
	}
	p.drive(dir, known)
	return handleOf(o.ID), nil
}

// admit refuses a host that lost the component, and an id that was used for
// something else. It raises the epoch, and returns the operation where it is known.
func (p *Platform) admit(s *component.State, o sdk.Operation, target sdk.Target) (*component.Operation, error) {
	if o.Epoch < s.Epoch {
		return nil, sdk.Errorf(sdk.Aborted, sdk.ReasonStaleEpoch,
			"epoch %d is stamped on component %q, yours is %d: another host owns it", s.Epoch, target.Component, o.Epoch)
	}
	s.Epoch = o.Epoch
	s.Installation = p.installation
	s.Application, s.Environment, s.Component = target.Application, target.Environment, target.Component
	known := s.Operation(o.ID)
	if known == nil {
		return nil, nil
	}
	if known.Digest != o.RequestDigest {
		return nil, sdk.Errorf(sdk.AlreadyExists, sdk.ReasonOperationMismatch,
			"operation %q was accepted with other content: give what is new a new id", o.ID)
	}
	known.Epoch = o.Epoch
	return known, nil
}

// enter adds an operation that is new.
func enter(
	ctx context.Context, dir component.Dir, s *component.State, live component.Live, o sdk.Operation, w wish,
) (*component.Operation, error) {
	rollback := o.Kind == sdk.OperationRollback
	if w.expected != "" && w.expected != live.Digest {
		return nil, stateChanged(dir, s, live, w.expected)
	}
	if w.goal != nil && !dir.Available(ctx, w.goal) {
		return nil, sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonSnapshotStale,
			"the files of %s are not kept any more: deploy that version again, and raise keep", short(w.goal.Digest))
	}
	if active := s.Active(); active != nil {
		if !rollback && o.Epoch <= active.Epoch {
			return nil, sdk.Errorf(sdk.Aborted, sdk.ReasonConflict,
				"operation %q is under way: cancel it, or wait for its end", active.ID)
		}
		active.End(component.Outcome{Result: component.Cancelled, Message: fmt.Sprintf("operation %q took its place", o.ID)})
	}
	added := &component.Operation{
		ID: o.ID, Deployment: o.DeploymentID, Rollback: rollback, Digest: o.RequestDigest, Epoch: o.Epoch, Staged: o.Staged,
		Version: w.version, Goal: w.goal, Before: live.Digest, Started: time.Now().UTC(), Steps: []component.Step{},
	}
	s.Add(added)
	return added, nil
}

// stateChanged names what changed and by whom.
func stateChanged(dir component.Dir, s *component.State, live component.Live, expected string) error {
	by := dir.ChangedBy()
	if s.Serving != nil && s.Serving.Digest == live.Digest {
		by = fmt.Sprintf("operation %s of deployment %s", s.Serving.Operation, s.Serving.Deployment)
	}
	e := sdk.Errorf(sdk.Aborted, sdk.ReasonStateChanged,
		"%s was changed by %s: it is %s, not %s", dir.Current(), by, short(live.Digest), short(expected))
	e.Resource, e.Metadata = dir.Current(), map[string]string{"by": by}
	return e
}

// save writes the stamps and wakes those who watch. When nothing is under way, what
// is not needed any more goes. The lock must be held.
func (p *Platform) save(dir component.Dir, s *component.State) error {
	if err := dir.Save(s); err != nil {
		return answer("write stamps", err)
	}
	if s.Active() == nil {
		if err := dir.Prune(s, p.config.Keep); err != nil {
			p.log.Warn("old releases stay", "error", err)
		}
	}
	p.announce()
	return nil
}
