package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// keepSnapshot records a snapshot, sealed, with its event.
func (o *owner) keepSnapshot(d *deployment.Deployment, name, which string, result sdk.SnapshotResult, set func(*deployment.Component, *deployment.SnapshotRef)) error {
	data, err := encodeContent(result.Snapshot)
	if err != nil {
		return err
	}
	key := fmt.Sprintf("snapshot/%s/%s/%s", d.ID, name, which)
	which, _, _ = strings.Cut(which, "-") // one taken anew has a number in its key only
	return o.commit(d, func(c *change) {
		c.blobs = append(c.blobs, deployment.Blob{Key: key, DeploymentID: d.ID, Data: data})
		set(d.Component(name), &deployment.SnapshotRef{
			Key: key, Digest: snapshotDigest(result.Snapshot), ObservedDigest: result.ObservedDigest,
			Revision: result.Snapshot.Revision, View: result.Snapshot.View,
			Empty: result.Snapshot.Empty, TakenAt: c.now,
		})
		c.event(deployment.EventSnapshotTaken, deployment.SnapshotPayload{
			Component: name, Which: which, Digest: snapshotDigest(result.Snapshot),
			ObservedDigest: result.ObservedDigest, Revision: result.Snapshot.Revision, Empty: result.Snapshot.Empty,
		})
	})
}

// snapshotDigest is the plugin's own digest, or one over the state.
func snapshotDigest(s sdk.Snapshot) string {
	if s.Digest != "" {
		return s.Digest
	}
	return contentDigest(s.State)
}

// frozen loads the component's sealed release; nil for a dropped one.
func (o *owner) frozen(c *deployment.Component) (*sdk.Release, error) {
	if c.Release == nil {
		return nil, nil
	}
	var release *sdk.Release
	err := o.fetch(func(ctx context.Context) error {
		var err error
		release, err = o.engine.loadRelease(ctx, c.Release.Key)
		return err
	})
	return release, err
}

// loadRelease opens a sealed release.
func (e *Engine) loadRelease(ctx context.Context, key string) (*sdk.Release, error) {
	release := &sdk.Release{}
	if err := e.load(ctx, key, release); err != nil {
		return nil, fmt.Errorf("read release %q: %w", key, err)
	}
	return release, nil
}

// loadSnapshot opens a sealed snapshot.
func (e *Engine) loadSnapshot(ctx context.Context, key string) (*sdk.Snapshot, error) {
	snapshot := &sdk.Snapshot{}
	if err := e.load(ctx, key, snapshot); err != nil {
		return nil, fmt.Errorf("read snapshot %q: %w", key, err)
	}
	return snapshot, nil
}

// load reads what encodeContent wrote into a blob.
func (e *Engine) load(ctx context.Context, key string, content any) error {
	data, err := e.Store.Blob(ctx, key)
	if err != nil {
		return err
	}
	return decodeContent(data, content)
}

// releaseDigest is the plugin's own digest, or one over the state.
func releaseDigest(r *sdk.Release) string {
	if r.Digest != "" {
		return r.Digest
	}
	return contentDigest(r.State)
}

// encodeContent carries a release or a snapshot through a blob.
func encodeContent(content any) ([]byte, error) {
	data, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encode content: %w", err)
	}
	return data, nil
}

// decodeContent reads what encodeContent wrote.
func decodeContent(data []byte, content any) error {
	if err := json.Unmarshal(data, content); err != nil {
		return fmt.Errorf("decode content: %w", err)
	}
	return nil
}

// contentDigest is over sealed content that may have no digest of its own.
func contentDigest(state []byte) string {
	sum := sha256.Sum256(state)
	return hex.EncodeToString(sum[:])
}
