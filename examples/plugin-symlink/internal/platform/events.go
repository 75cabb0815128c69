package platform

import (
	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
)

// The resources of a component.
const (
	linkResource    = "current"
	releaseResource = "release"
)

// stateOf is the full picture of an operation.
func stateOf(o *component.Operation) *sdk.State {
	s := &sdk.State{Phase: sdk.PhasePending, Message: "accepted", Resources: []sdk.Resource{releaseOf(o)}}
	switch {
	case o.Outcome != nil:
		s.Phase, s.Fraction, s.Message = sdk.PhaseStabilizing, 1, o.Outcome.Message
	case o.Waits():
		s.Phase, s.Fraction, s.Message = sdk.PhaseStabilizing, 0.9, "the files are in place and wait for Promote"
	case o.Reached(copied):
		s.Phase, s.Fraction, s.Message = sdk.PhaseProgressing, 0.8, "the files are in place"
	case o.Goal != nil:
		s.Phase, s.Message = sdk.PhaseProgressing, "files are copied"
	}
	return s
}

// releaseOf is the resource that an operation works on.
func releaseOf(o *component.Operation) sdk.Resource {
	r := sdk.Resource{ID: releaseResource, Kind: "directory", Name: "nothing", Health: sdk.ResourcePending}
	if o.Goal == nil {
		if o.Outcome != nil {
			r.Health = sdk.ResourceGone
		}
		return r
	}
	r.Name, r.Revision, r.Desired = short(o.Goal.Digest), short(o.Goal.Digest), uint32(o.Goal.Files)
	if o.Reached(copied) {
		r.Name, r.Health, r.Ready = o.Goal.Link, sdk.ResourceReady, r.Desired
	}
	return r
}
