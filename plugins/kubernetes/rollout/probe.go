package rollout

import (
	"cmp"
	"context"
	"slices"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// Probe looks once at the component as the last operation left it. What is gone is
// unhealthy, what could not be looked at unknown.
func (p *Platform) Probe(ctx context.Context, request sdk.ProbeRequest) (sdk.ProbeResult, error) {
	result, err := p.probe(ctx, request.Target)
	if err != nil && ctx.Err() == nil && (cluster.IsDown(err) || cluster.IsForbidden(err)) {
		return sdk.ProbeResult{Checks: []sdk.Check{{
			Name: request.Target.Component, Type: "workload", Status: sdk.CheckUnknown, Message: "could not look: " + err.Error(),
		}}}, nil
	}
	return result, err
}

func (p *Platform) probe(ctx context.Context, t sdk.Target) (sdk.ProbeResult, error) {
	written, err := p.journal(t).Read(ctx)
	if err != nil {
		return sdk.ProbeResult{}, err
	}
	n, err := notesOf(written)
	if err != nil {
		return sdk.ProbeResult{}, err
	}
	seen, err := p.look(ctx, n.keys())
	if err != nil {
		return sdk.ProbeResult{}, err
	}
	result := sdk.ProbeResult{ObservedDigest: seen.digest(), Addresses: seen.addresses(n.Services)}
	if len(n.Keys) == 0 {
		result.Checks = []sdk.Check{{Name: "gone", Type: "workload", Status: sdk.CheckUnhealthy, Message: "gone: nothing of this component runs"}}
		return result, nil
	}
	result.Revision = cmp.Or(written.Serving.Revision, written.Serving.Version)
	pic := picture.Picture{}
	if len(n.Workloads) > 0 {
		if pic, err = p.follower.Picture(ctx, n.subject()); err != nil {
			return result, err
		}
		result.Checks = judge.Judge(pic, p.options.Policy).Checks
	}
	return p.present(result, n, seen, pic), nil
}

// present adds the checks for what is gone, and for what only has to be there.
func (p *Platform) present(result sdk.ProbeResult, n *notes, seen *scene, pic picture.Picture) sdk.ProbeResult {
	for _, k := range parseKeys(n.Keys) {
		r := picture.Ref{APIVersion: k.APIVersion, Kind: k.Kind, Namespace: k.Namespace, Name: k.Name}
		check := sdk.Check{Name: judge.ID(r), Type: "workload", Resource: judge.ID(r)}
		shown := slices.ContainsFunc(pic.Workloads, func(w picture.Workload) bool { return keyOfRef(w.Ref) == k })
		switch {
		case seen.objects[k] == nil:
			check.Status, check.Message = sdk.CheckUnhealthy, "gone: "+k.Short()+" is not there"
		case slices.Contains(n.Workloads, k.String()) && !shown:
			check.Status, check.Message = sdk.CheckUnknown, "could not look at "+k.Short()
			if len(pic.Blind) > 0 {
				check.Message += ": " + pic.Blind[0]
			}
		case len(n.Workloads) == 0:
			check.Type, check.Status, check.Message = "object", sdk.CheckHealthy, "there"
		default:
			continue
		}
		result.Checks = append(result.Checks, check)
	}
	return result
}
