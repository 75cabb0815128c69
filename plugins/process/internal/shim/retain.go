package shim

import (
	"slices"

	"github.com/apm-deploy/apm/plugins/process/internal/release"
	"github.com/apm-deploy/apm/sdk"
)

// keepArtifact puts the artifact of what serves now at the end of those that are
// kept, and lets go of what neither the configuration nor the host wants kept any
// more. Of what never served only the newest is kept, apart: a row of attempts that
// fail must not push out what can be rolled back to.
func (c *component) keepArtifact(r release.Release) {
	if r.Artifact == "" {
		return
	}
	artifacts := slices.DeleteFunc(slices.Clone(c.st.Artifacts), func(other string) bool { return other == r.Artifact })
	artifacts = append(artifacts, r.Artifact)
	snapshots := map[string][]string{}
	for artifact, digests := range c.st.Snapshots { // in memory of its own: others may read the old one
		snapshots[artifact] = digests
	}
	// A snapshot of what serves as it was deployed has the digest of its release.
	digests := slices.DeleteFunc(slices.Clone(snapshots[r.Artifact]), func(other string) bool { return other == r.Digest() })
	digests = append(digests, r.Digest())
	snapshots[r.Artifact] = digests[max(0, len(digests)-sdk.MaxRetain):]

	first := len(artifacts) - max(c.st.Settings.Keep, 1)
	kept := []string{}
	for i, artifact := range artifacts {
		wanted := func(digest string) bool { return slices.Contains(c.st.Retain, digest) }
		if i >= first || slices.ContainsFunc(snapshots[artifact], wanted) {
			kept = append(kept, artifact)
		} else {
			delete(snapshots, artifact)
		}
	}
	c.st.Artifacts, c.st.Snapshots = kept, snapshots
}
