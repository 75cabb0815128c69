package platform

import (
	"context"
	"errors"
	"time"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/journal"
)

// Probe reads every file of what is current or, with the handle of an operation
// whose candidate waits, of the candidate.
func (p *Platform) Probe(ctx context.Context, r sdk.ProbeRequest) (sdk.ProbeResult, error) {
	id, err := journal.OperationOf(r.Handle)
	if err != nil {
		return sdk.ProbeResult{}, err
	}
	dir, written, err := p.component(r.Target)
	if err != nil {
		return sdk.ProbeResult{}, err
	}
	began := time.Now()
	s, err := written.Read()
	var live component.Live
	if err == nil {
		live, err = dir.Look(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return sdk.ProbeResult{}, ctx.Err()
	case errors.Is(err, component.ErrNoLink):
		return sdk.ProbeResult{Checks: []sdk.Check{check(linkResource, sdk.CheckUnhealthy, err.Error())}}, nil
	case err != nil:
		return sdk.ProbeResult{Checks: []sdk.Check{blind(linkResource, err)}}, nil
	}
	result := sdk.ProbeResult{Revision: short(live.Digest), ObservedDigest: live.Digest}
	if o := s.Operation(id); o != nil && o.Waits() {
		result.Checks = []sdk.Check{p.checkCandidate(ctx, dir, o)}
	} else {
		result.Checks = checksOf(s, live)
	}
	for i := range result.Checks {
		result.Checks[i].Latency = time.Since(began)
	}
	return result, nil
}

func (p *Platform) checkCandidate(ctx context.Context, dir component.Dir, o *component.Operation) sdk.Check {
	switch there, err := dir.Placed(ctx, o.Goal); {
	case err != nil:
		return blind(releaseResource, err)
	case !there:
		return check(releaseResource, sdk.CheckUnhealthy, "files of the candidate were changed or removed")
	default:
		return check(releaseResource, sdk.CheckHealthy, "the candidate's files are complete")
	}
}

// checksOf are the two questions about what is current: is there a link that leads
// to files, and are they those that were deployed?
func checksOf(s *component.Record, live component.Live) []sdk.Check {
	switch live.Digest {
	case component.Empty:
		return []sdk.Check{check(linkResource, sdk.CheckUnhealthy, "gone: there is no current release")}
	case component.Missing:
		return []sdk.Check{check(linkResource, sdk.CheckUnhealthy, "gone: the link leads to "+live.Link+", where nothing is")}
	}
	files := check(releaseResource, sdk.CheckHealthy, "")
	if s.Serving != nil && s.Serving.Digest != live.Digest {
		files = check(releaseResource, sdk.CheckDegraded, "the files are not those that were deployed")
	}
	return []sdk.Check{check(linkResource, sdk.CheckHealthy, "leads to "+live.Link), files}
}

// blind is the answer of who could not look: no reason to roll back.
func blind(resource string, err error) sdk.Check {
	return check(resource, sdk.CheckUnknown, "could not look: "+err.Error())
}

func check(resource string, status sdk.CheckStatus, message string) sdk.Check {
	return sdk.Check{Name: resource, Type: "files", Status: status, Message: message, Resource: resource}
}
