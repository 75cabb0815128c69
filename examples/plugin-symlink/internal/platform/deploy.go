package platform

import (
	"context"
	"fmt"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/journal"
)

// Deploy accepts a release; it is copied and made current by drive.
func (p *Platform) Deploy(ctx context.Context, r sdk.DeployRequest) (sdk.Handle, error) {
	to, err := decode(r.Release.Version, r.Release.State)
	if err != nil {
		return sdk.Handle{}, err
	}
	return p.accept(ctx, r.Operation, r.Target, r.ExpectedDigest, journal.Entry[component.Goal]{
		Goal: to.goal(), Version: r.Target.Version, Revision: short(to.Digest), Retain: r.Retain,
	})
}

// accept writes an operation down, if what is current is what was expected and the
// files that it needs are there.
func (p *Platform) accept(
	ctx context.Context, o sdk.Operation, target sdk.Target, expected string, entry journal.Entry[component.Goal],
) (sdk.Handle, error) {
	dir, written, err := p.component(target)
	if err != nil {
		return sdk.Handle{}, err
	}
	return written.Accept(ctx, o, entry, func(s *component.Record) (string, error) {
		live, err := dir.Look(ctx)
		switch {
		case err != nil:
			return "", answer("look", err)
		case expected != "" && expected != live.Digest:
			return "", stateChanged(dir, s, live, expected)
		case entry.Goal != nil && !dir.Available(ctx, entry.Goal):
			return "", sdk.SnapshotStale("the files of %s are not kept any more: deploy that version again, and raise keep", short(entry.Goal.Digest))
		default:
			return live.Digest, nil
		}
	})
}

// stateChanged names what changed and by whom.
func stateChanged(dir component.Dir, s *component.Record, live component.Live, expected string) error {
	by := dir.ChangedBy()
	if s.Serving != nil && s.Serving.Digest == live.Digest {
		by = fmt.Sprintf("operation %s of deployment %s", s.Serving.Operation, s.Serving.Deployment)
	}
	return sdk.StateChanged(dir.Current(), by,
		"%s was changed by %s: it is %s, not %s", dir.Current(), by, short(live.Digest), short(expected))
}
