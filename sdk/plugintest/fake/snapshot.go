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
	if p.breaks("marks") {
		if err := p.mark(r.Target); err != nil {
			return sdk.SnapshotResult{}, err
		}
	}
	state, err := json.Marshal(now)
	return sdk.SnapshotResult{
		Snapshot:       sdk.Snapshot{Version: 1, State: state, Digest: digest(now.Text), Revision: digest(now.Text)},
		ObservedDigest: observed(now),
	}, err
}

// mark has the inventory tell another operation.
func (p *platform) mark(t sdk.Target) error {
	s, err := p.state(t)
	if err != nil {
		return err
	}
	s.Last = "a snapshot"
	return p.save(t, s)
}

// prune keeps the content of the newest snapshot, whatever the host said.
func (p *platform) prune(t sdk.Target) error {
	entries, err := os.ReadDir(p.path(t, keptDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var newest os.FileInfo
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if newest != nil && newest.ModTime().After(info.ModTime()) {
			newest, info = info, newest
		}
		if newest != nil {
			if err := os.Remove(p.path(t, keptDir, newest.Name())); err != nil {
				return err
			}
		}
		newest = info
	}
	return nil
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
