package fake

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/apm-deploy/apm/sdk"
)

// keptDir holds, by digest, a file for each content that was ever snapshotted.
// Without it there is no way back to the snapshot: as with an image that was
// pruned.
const keptDir = "kept"

func (p *platform) Snapshot(_ context.Context, r sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	if p.breaks("goroutine") {
		go func() { <-make(chan struct{}) }()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now, runs, err := p.live(r.Target)
	if err != nil {
		return sdk.SnapshotResult{}, err
	}
	if !runs {
		return sdk.SnapshotResult{Snapshot: sdk.Snapshot{Version: 1, Empty: true}, ObservedDigest: digest()}, nil
	}
	p.seen["snapshot "+observed(now)] = true
	if err := write(p.path(r.Target, keptDir, observed(now)), true); err != nil {
		return sdk.SnapshotResult{}, err
	}
	state, err := json.Marshal(now)
	return sdk.SnapshotResult{
		Snapshot:       sdk.Snapshot{Version: 1, State: state, Digest: digest(now.Text), Revision: digest(now.Text)},
		ObservedDigest: observed(now),
	}, err
}

// read returns what a snapshot holds, nil for nothing, and refuses one whose
// content was pruned.
func (p *platform) read(s sdk.Snapshot, t sdk.Target) (*content, error) {
	if s.Empty {
		return nil, nil
	}
	var c content
	if err := json.Unmarshal(s.State, &c); err != nil {
		return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "read snapshot: %v", err)
	}
	if _, err := os.Stat(p.path(t, keptDir, observed(c))); errors.Is(err, os.ErrNotExist) && !p.breaks("stale") {
		return nil, sdk.SnapshotStale("content %s was pruned: deploy its version anew", digest(c.Text))
	}
	return &c, nil
}

// Prune removes what the platform keeps of a component for snapshots alone.
func Prune(root string, t sdk.Target) error {
	return os.RemoveAll(componentFile(root, t, keptDir))
}
