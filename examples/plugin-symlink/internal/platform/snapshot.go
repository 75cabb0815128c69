package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"example.com/apm-plugin-symlink/internal/component"
	"example.com/apm-plugin-symlink/internal/tree"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/journal"
)

// Snapshot keeps what is current: its files are frozen too, if they are not those
// of a release that we know, so that even what somebody else put there comes back.
func (p *Platform) Snapshot(ctx context.Context, r sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	dir, written, err := p.component(r.Target)
	if err != nil {
		return sdk.SnapshotResult{}, err
	}
	s, live, err := look(ctx, dir, written)
	if err != nil {
		return sdk.SnapshotResult{}, err
	}
	if live.Digest == component.Empty {
		return sdk.SnapshotResult{Snapshot: sdk.Snapshot{Version: encoding, Empty: true}, ObservedDigest: live.Digest}, nil
	}
	if live.Digest != component.Missing && !dir.Frozen(live.Digest) {
		// What cannot be copied is not ours: it comes back by its path, if it is there.
		if _, err := dir.Freeze(ctx, dir.Current(), nil); err != nil && !errors.Is(err, tree.ErrInvalid) {
			return sdk.SnapshotResult{}, answer("freeze what is current", err)
		}
	}
	count, bytes := live.Tree.Files()
	kept := release{Digest: live.Digest, Files: count, Version: versionOf(s, live)}
	if !component.Ours(live.Link) {
		kept.Link = live.Link
	}
	state, err := json.Marshal(kept)
	return sdk.SnapshotResult{
		ObservedDigest: live.Digest,
		Snapshot: sdk.Snapshot{
			Version: encoding, State: state, Digest: live.Digest, Revision: short(live.Digest),
			View: map[string]string{
				"link": live.Link, "version": kept.Version, "digest": live.Digest,
				"files": fmt.Sprintf("%d files, %d bytes", count, bytes),
			},
		},
	}, err
}

// look reads what is written of a component and what is current.
func look(ctx context.Context, dir component.Dir, written *journal.Journal[component.Goal]) (*component.Record, component.Live, error) {
	s, err := written.Read()
	if err != nil {
		return nil, component.Live{}, answer("look", err)
	}
	live, err := dir.Look(ctx)
	return s, live, answer("look", err)
}

// versionOf is the version that is current, "" where it is not one that we made so.
func versionOf(s *component.Record, live component.Live) string {
	if s.Serving == nil || s.Serving.Digest != live.Digest {
		return ""
	}
	return s.Serving.Version
}
