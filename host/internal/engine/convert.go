package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// targetOf is the component as a plugin knows it.
func targetOf(t deployment.Target, component, version string, spec []byte) sdk.Target {
	return sdk.Target{
		Application: t.Application, Environment: t.Environment,
		Component: component, Version: version, Spec: spec,
	}
}

// operationOf is the operation as a plugin knows it, under the present epoch.
func operationOf(d *deployment.Deployment, op *deployment.Operation, epoch uint64) sdk.Operation {
	kind := sdk.OperationDeploy
	if op.Kind == deployment.OperationRollback {
		kind = sdk.OperationRollback
	}
	return sdk.Operation{
		ID: op.ID, DeploymentID: d.ID, Kind: kind,
		RequestDigest: op.Digest, Epoch: epoch, Staged: op.Staged,
	}
}

// requestDigest is over all that a call asks for: same id, other digest is
// refused by the plugin.
func requestDigest(target sdk.Target, content string) string {
	sum := sha256.New()
	for _, part := range []string{
		target.Application, target.Environment, target.Component, target.Version, string(target.Spec), content,
	} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func toHandle(h deployment.Handle) sdk.Handle {
	return sdk.Handle{Version: h.Version, State: h.State}
}

func fromHandle(h sdk.Handle) deployment.Handle {
	return deployment.Handle{Version: h.Version, State: h.State}
}

func fromResource(r sdk.Resource) deployment.Resource {
	return deployment.Resource{
		ID: keep(r.ID), ParentID: keep(r.ParentID), Kind: keep(r.Kind), Name: keep(r.Name), Revision: keep(r.Revision),
		Health: fromResourceHealth(r.Health), Desired: r.Desired, Ready: r.Ready, Restarts: r.Restarts,
		Reason: keep(r.Reason), Message: keep(r.Message),
	}
}

// keep returns a text of its own, cut: that of an event is a part of a whole message.
func keep(text string) string { return strings.Clone(clip(text)) }

func fromResourceHealth(h sdk.ResourceHealth) deployment.ResourceHealth {
	switch h {
	case sdk.ResourceReady:
		return deployment.ResourceReady
	case sdk.ResourceDegraded:
		return deployment.ResourceDegraded
	case sdk.ResourceFailed:
		return deployment.ResourceFailed
	case sdk.ResourceGone:
		return deployment.ResourceGone
	default:
		return deployment.ResourcePending
	}
}

func fromLog(l sdk.LogLine) deployment.LogLine {
	return deployment.LogLine{Resource: clip(l.Resource), Line: clip(l.Line), Previous: l.Previous, Time: l.Time, Stream: clip(l.Stream)}
}

func fromCandidate(c sdk.Candidate) *deployment.Candidate {
	return &deployment.Candidate{Addresses: clipAll(c.Addresses), Revision: clip(c.Revision), Percent: c.Percent}
}

// fromOutcome returns the outcome, and the evidence that a failure carries.
func fromOutcome(o sdk.Outcome, component string) (deployment.Outcome, *deployment.Evidence) {
	result := map[sdk.Result]deployment.Result{
		sdk.ResultSucceeded:  deployment.ResultSucceeded,
		sdk.ResultCancelled:  deployment.ResultCancelled,
		sdk.ResultSuperseded: deployment.ResultSuperseded,
	}[o.Result]
	if result == "" {
		result = deployment.ResultFailed
	}
	outcome := deployment.Outcome{
		Result: result, Message: clip(o.Message), Addresses: clipAll(o.Addresses),
		Revision: clip(o.Revision), SupersededBy: clip(o.SupersededBy),
	}
	if o.Failure == nil {
		return outcome, nil
	}
	f := o.Failure
	outcome.Failure = &deployment.Failure{
		Code: clip(f.Code), Component: component, Resource: clip(f.Resource),
		Message: clip(f.Message), Suggestion: clip(f.Suggestion), Environment: f.Environment,
	}
	evidence := &deployment.Evidence{
		Component: component, Code: clip(f.Code), Resource: clip(f.Resource),
		Message: clip(f.Message), Suggestion: clip(f.Suggestion),
	}
	for _, event := range lastOf(f.Events) {
		evidence.Events = append(evidence.Events, clip(event))
	}
	for _, line := range lastOf(f.Logs) {
		evidence.Logs = append(evidence.Logs, fromLog(line))
	}
	return outcome, evidence
}

// phaseName names the phase of an operation.
func phaseName(p sdk.Phase) string {
	switch p {
	case sdk.PhasePending:
		return "pending"
	case sdk.PhaseProgressing:
		return "progressing"
	case sdk.PhaseStabilizing:
		return "stabilizing"
	default:
		return ""
	}
}
