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

// results turns what is stamped into what the contract says.
var results = map[string]sdk.Result{
	component.Succeeded:  sdk.ResultSucceeded,
	component.Failed:     sdk.ResultFailed,
	component.Cancelled:  sdk.ResultCancelled,
	component.Superseded: sdk.ResultSuperseded,
}

// stateOf is the full picture of an operation.
func stateOf(o *component.Operation) *sdk.State {
	s := &sdk.State{Phase: sdk.PhasePending, Message: "accepted", Resources: []sdk.Resource{releaseOf(o)}}
	switch {
	case o.Outcome != nil:
		s.Phase, s.Fraction, s.Message = sdk.PhaseStabilizing, 1, o.Outcome.Message
	case o.Waits():
		s.Phase, s.Fraction, s.Message = sdk.PhaseStabilizing, 0.9, "the files are in place and wait for Promote"
		s.Candidate = &sdk.Candidate{Revision: short(o.Goal.Digest)}
	case o.Reached(component.Copied):
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
	if o.Reached(component.Copied) {
		r.Name, r.Health, r.Ready = o.Goal.Link, sdk.ResourceReady, r.Desired
	}
	return r
}

// eventOf is what a step of an operation says on Watch.
func eventOf(dir component.Dir, o *component.Operation, step component.Step) sdk.Event {
	event := sdk.Event{ObservedAt: step.At}
	switch step.Name {
	case component.Candidate:
		event.Candidate = &sdk.Candidate{Revision: short(o.Goal.Digest)}
	case component.Ended:
		outcome := outcomeOf(dir, o)
		event.Outcome = &outcome
	default:
		resource := releaseOf(o)
		event.Resource = &resource
	}
	return event
}

// outcomeOf is how an operation ended.
func outcomeOf(dir component.Dir, o *component.Operation) sdk.Outcome {
	out := sdk.Outcome{Result: results[o.Outcome.Result], Message: o.Outcome.Message, SupersededBy: o.Outcome.By}
	if o.Goal != nil {
		out.Revision = short(o.Goal.Digest)
	}
	switch o.Outcome.Result {
	case component.Succeeded:
		out.Outputs = map[string]string{"path": dir.Current()}
	case component.Failed:
		out.Failure = &sdk.Failure{
			Code: o.Outcome.Code, Resource: releaseResource, Message: o.Outcome.Message, Environment: o.Outcome.Environment,
			Logs: lastLines(dir, o.ID), Suggestion: "see that the directory can be written and has room, then deploy again",
		}
	}
	return out
}

// lineOf is a line of what copying said.
func lineOf(line component.Line) *sdk.LogLine {
	return &sdk.LogLine{Resource: releaseResource, Line: line.Text, Time: line.At}
}

// lastLines are the evidence of a failure.
func lastLines(dir component.Dir, operation string) []sdk.LogLine {
	lines := []sdk.LogLine{}
	for offset := int64(0); ; {
		more, next, err := dir.ReadLog(operation, offset, 1000)
		if err != nil || len(more) == 0 {
			return lines
		}
		for _, line := range more {
			lines = append(lines, *lineOf(line))
		}
		lines, offset = lines[max(0, len(lines)-sdk.MaxFailureLogs):], next
	}
}
