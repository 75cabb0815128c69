package server

import (
	"context"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// contentInput names a deployment and one to compare it with.
type contentInput struct {
	DeploymentPath
	Against string `query:"against" maxLength:"64" doc:"Id of another deployment: adds a unified diff of the views, from that one to this one."`
}

// contentOutput are releases or snapshots.
type contentOutput struct{ Body v1.ContentList }

// releases lists the releases of a deployment.
func (s *Server) releases(ctx context.Context, in *contentInput) (*contentOutput, error) {
	return s.contents(ctx, in, releasesOf)
}

// snapshots lists the snapshots of a deployment.
func (s *Server) snapshots(ctx context.Context, in *contentInput) (*contentOutput, error) {
	return s.contents(ctx, in, snapshotsOf)
}

// contents lists what one deployment has of a kind, compared with another's.
func (s *Server) contents(ctx context.Context, in *contentInput, of func(*deployment.Deployment) []v1.Content) (*contentOutput, error) {
	d, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &contentOutput{Body: v1.ContentList{Contents: of(d)}}
	if in.Against == "" {
		return out, nil
	}
	other, err := s.findAt(ctx, "query.against", in.Against)
	if err != nil {
		return nil, err
	}
	before := of(other)
	for i := range out.Body.Contents {
		c := &out.Body.Contents[i]
		var from v1.Content
		for _, b := range before {
			if b.Component == c.Component && b.Which == c.Which {
				from = b
			}
		}
		c.Diff = diffViews(other.ID+"/"+c.Which, d.ID+"/"+c.Which, from.View, c.View)
	}
	return out, nil
}

// releasesOf returns the releases by their views.
func releasesOf(d *deployment.Deployment) []v1.Content {
	contents := []v1.Content{}
	for i := range d.Components {
		c := &d.Components[i]
		if c.Release == nil {
			continue
		}
		contents = append(contents, v1.Content{
			Component: c.Name, Which: "release", Digest: c.Release.Digest,
			Revision: c.Release.Revision, View: viewOf(c.Release.View),
		})
	}
	return contents
}

// snapshotsOf returns the snapshots by their views.
func snapshotsOf(d *deployment.Deployment) []v1.Content {
	contents := []v1.Content{}
	for i := range d.Components {
		c := &d.Components[i]
		for _, s := range []struct {
			which string
			ref   *deployment.SnapshotRef
		}{{"before", c.Before}, {"after", c.After}} {
			if s.ref == nil {
				continue
			}
			contents = append(contents, v1.Content{
				Component: c.Name, Which: s.which, Digest: s.ref.Digest, ObservedDigest: s.ref.ObservedDigest,
				Revision: s.ref.Revision, Empty: s.ref.Empty, TakenAt: timeOf(s.ref.TakenAt), View: viewOf(s.ref.View),
			})
		}
	}
	return contents
}

// viewOf returns a view that is never null.
func viewOf(view map[string]string) map[string]string {
	if view == nil {
		return map[string]string{}
	}
	return view
}
