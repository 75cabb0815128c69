package deployment

import "slices"

// MaxRetained bounds what a platform is asked to keep for one component: 20 digests,
// as the contract has it.
const MaxRetained = 20

// Retained returns the digests of what a platform must still have of a component of
// d's target, most needed first, at most MaxRetained: the snapshot that a rollback of
// d brings back, the releases of deployments that wait for their turn, and the
// snapshots of the completed deployments past, newest first, that somebody may go back
// to. An empty snapshot needs nothing.
func Retained(component string, d *Deployment, open, past []*Deployment) []string {
	var digests []string
	add := func(digest string) {
		if digest != "" && len(digests) < MaxRetained && !slices.Contains(digests, digest) {
			digests = append(digests, digest)
		}
	}
	snapshot := func(s *SnapshotRef) {
		if s != nil && !s.Empty {
			add(s.Digest)
		}
	}
	if c := d.Component(component); c != nil {
		snapshot(c.Before)
	}
	for _, waiting := range open {
		if c := waiting.Component(component); waiting.ID != d.ID && c != nil && c.Release != nil {
			add(c.Release.Digest)
		}
	}
	for _, done := range past {
		if c := done.Component(component); c != nil {
			snapshot(c.After)
			snapshot(c.Before)
		}
	}
	return digests
}
