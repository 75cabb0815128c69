package platform

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// snapshotVersion is what Snapshot makes and Rollback reads.
const snapshotVersion = 1

// snapshot is the whole of a component as it serves; its files stay with us by
// their digest.
type snapshot struct {
	Version string          `json:"version"` // of the application
	Release release.Release `json:"release"`
	Files   string          `json:"files"` // digest of the files as they were then
}

// Snapshot returns what serves now.
func (p *Platform) Snapshot(ctx context.Context, request sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	_, dir, err := p.identity(request.Target)
	if err != nil {
		return sdk.SnapshotResult{}, err
	}
	now, err := describe(ctx, dir)
	if err != nil {
		return sdk.SnapshotResult{}, answer(ctx, "take snapshot", err)
	}
	serving := now.State.Serving
	if serving == nil {
		return sdk.SnapshotResult{Snapshot: sdk.Snapshot{Version: snapshotVersion, Empty: true}, ObservedDigest: now.Observed}, nil
	}
	data, err := json.Marshal(snapshot{Version: serving.Version, Release: serving.Release, Files: now.Files})
	if err != nil {
		return sdk.SnapshotResult{}, internal("take snapshot", err)
	}
	return sdk.SnapshotResult{
		ObservedDigest: now.Observed,
		Snapshot: sdk.Snapshot{
			Version: snapshotVersion, State: data, Digest: now.Observed, Revision: serving.Version, View: serving.Release.View(),
		},
	}, nil
}

func decodeSnapshot(s sdk.Snapshot) (snapshot, error) {
	var read snapshot
	if s.Version > snapshotVersion {
		return read, sdk.SnapshotStale("the snapshot is of version %d, from a newer plugin; use that one", s.Version)
	}
	if err := json.Unmarshal(s.State, &read); err != nil || len(read.Release.Command) == 0 {
		return read, &sdk.Error{Code: sdk.InvalidArgument, Reason: sdk.ReasonInvalidSpec, Message: "the snapshot cannot be read", Err: err}
	}
	return read, nil
}

// describe says what runs, from the shim or, where there is none, from the
// state file.
func describe(ctx context.Context, dir string) (control.Description, error) {
	var now control.Description
	err := call(ctx, dir, ifAlive, control.Request{Method: control.Describe}, &now)
	if err == nil && now.Problem != "" {
		return now, sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "could not look at the files of the component: %s", now.Problem)
	}
	if !errors.Is(err, errNothing) {
		return now, err
	}
	st, err := state.Load(dir)
	if errors.Is(err, state.ErrNone) {
		st, err = &state.State{}, nil
	}
	if err != nil {
		return now, err
	}
	return control.Description{State: *st, Observed: release.EmptyDigest}, nil
}
