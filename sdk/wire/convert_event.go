package wire

import (
	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
)

func eventToProto(e sdk.Event) *pluginv1.WatchEvent {
	out := &pluginv1.WatchEvent{ObservedAt: timeToProto(e.ObservedAt)}
	switch {
	case e.State != nil:
		out.Event = &pluginv1.WatchEvent_State{State: &pluginv1.State{
			Phase: pluginv1.Phase(e.State.Phase), Message: e.State.Message, Fraction: e.State.Fraction,
			Resources: mapEach(e.State.Resources, resourceToProto), Candidate: candidateToProto(e.State.Candidate),
		}}
	case e.Resource != nil:
		out.Event = &pluginv1.WatchEvent_Resource{Resource: resourceToProto(*e.Resource)}
	case e.Log != nil:
		out.Event = &pluginv1.WatchEvent_Log{Log: logToProto(*e.Log)}
	case e.DroppedLogLines > 0:
		out.Event = &pluginv1.WatchEvent_DroppedLogLines{DroppedLogLines: e.DroppedLogLines}
	case e.Handle != nil:
		out.Event = &pluginv1.WatchEvent_Handle{Handle: &pluginv1.Handle{Version: e.Handle.Version, State: e.Handle.State}}
	case e.Candidate != nil:
		out.Event = &pluginv1.WatchEvent_Candidate{Candidate: candidateToProto(e.Candidate)}
	case e.Drift != nil:
		out.Event = &pluginv1.WatchEvent_Drift{Drift: &pluginv1.Drift{
			By: e.Drift.By, Message: e.Drift.Message, Revision: e.Drift.Revision, Undone: e.Drift.Undone,
		}}
	case e.Outcome != nil:
		out.Event = &pluginv1.WatchEvent_Outcome{Outcome: outcomeToProto(e.Outcome)}
	case e.Heartbeat:
		out.Event = &pluginv1.WatchEvent_Heartbeat{Heartbeat: &pluginv1.Heartbeat{}}
	}
	return out
}

func eventFromProto(e *pluginv1.WatchEvent) sdk.Event {
	out := sdk.Event{ObservedAt: timeFromProto(e.GetObservedAt())}
	switch event := e.GetEvent().(type) {
	case *pluginv1.WatchEvent_State:
		out.State = &sdk.State{
			Phase: sdk.Phase(event.State.GetPhase()), Message: event.State.GetMessage(), Fraction: event.State.GetFraction(),
			Resources: mapEach(event.State.GetResources(), resourceFromProto), Candidate: candidateFromProto(event.State.GetCandidate()),
		}
	case *pluginv1.WatchEvent_Resource:
		resource := resourceFromProto(event.Resource)
		out.Resource = &resource
	case *pluginv1.WatchEvent_Log:
		line := logFromProto(event.Log)
		out.Log = &line
	case *pluginv1.WatchEvent_DroppedLogLines:
		out.DroppedLogLines = event.DroppedLogLines
	case *pluginv1.WatchEvent_Handle:
		handle := handleFromProto(event.Handle)
		out.Handle = &handle
	case *pluginv1.WatchEvent_Candidate:
		out.Candidate = candidateFromProto(event.Candidate)
	case *pluginv1.WatchEvent_Drift:
		out.Drift = &sdk.Drift{
			By: event.Drift.GetBy(), Message: event.Drift.GetMessage(),
			Revision: event.Drift.GetRevision(), Undone: event.Drift.GetUndone(),
		}
	case *pluginv1.WatchEvent_Outcome:
		out.Outcome = outcomeFromProto(event.Outcome)
	case *pluginv1.WatchEvent_Heartbeat:
		out.Heartbeat = true
	}
	return out
}

func resourceToProto(r sdk.Resource) *pluginv1.ResourceStatus {
	return &pluginv1.ResourceStatus{
		Id: r.ID, ParentId: r.ParentID, Kind: r.Kind, Name: r.Name, Revision: r.Revision,
		Health: pluginv1.ResourceHealth(r.Health), Desired: r.Desired, Ready: r.Ready, Restarts: r.Restarts,
		Reason: r.Reason, Message: r.Message,
	}
}

func resourceFromProto(r *pluginv1.ResourceStatus) sdk.Resource {
	return sdk.Resource{
		ID: r.GetId(), ParentID: r.GetParentId(), Kind: r.GetKind(), Name: r.GetName(), Revision: r.GetRevision(),
		Health: sdk.ResourceHealth(r.GetHealth()), Desired: r.GetDesired(), Ready: r.GetReady(), Restarts: r.GetRestarts(),
		Reason: r.GetReason(), Message: r.GetMessage(),
	}
}

func logToProto(l sdk.LogLine) *pluginv1.LogLine {
	return &pluginv1.LogLine{
		Resource: l.Resource, Line: shorten(l.Line, maxLogLine), Previous: l.Previous,
		Time: timeToProto(l.Time), Stream: l.Stream,
	}
}

func logFromProto(l *pluginv1.LogLine) sdk.LogLine {
	return sdk.LogLine{
		Resource: l.GetResource(), Line: l.GetLine(), Previous: l.GetPrevious(),
		Time: timeFromProto(l.GetTime()), Stream: l.GetStream(),
	}
}

func candidateToProto(c *sdk.Candidate) *pluginv1.Candidate {
	if c == nil {
		return nil
	}
	return &pluginv1.Candidate{Addresses: c.Addresses, Revision: c.Revision, Percent: uint32(max(0, c.Percent))}
}

func candidateFromProto(c *pluginv1.Candidate) *sdk.Candidate {
	if c == nil {
		return nil
	}
	return &sdk.Candidate{Addresses: c.GetAddresses(), Revision: c.GetRevision(), Percent: int(c.GetPercent())}
}

func outcomeToProto(o *sdk.Outcome) *pluginv1.Outcome {
	if o == nil {
		return nil
	}
	out := &pluginv1.Outcome{
		Result: pluginv1.Outcome_Result(o.Result), Message: o.Message, Outputs: o.Outputs, Addresses: o.Addresses,
		Revision: o.Revision, SupersededBy: o.SupersededBy,
	}
	if f := o.Failure; f != nil {
		logs := newestLogs(f.Logs)
		out.Failure = &pluginv1.Failure{
			Code: f.Code, Resource: f.Resource, Message: f.Message, Suggestion: f.Suggestion,
			Logs: mapEach(logs, logToProto), Events: f.Events, Environment: f.Environment,
		}
	}
	return out
}

// maxFailureLogBytes bounds the log lines of a failure: an outcome that is too
// large for a message could never be told.
const maxFailureLogBytes = 1 << 20

// newestLogs returns the last lines, as far as their number and size allow.
func newestLogs(logs []sdk.LogLine) []sdk.LogLine {
	logs = logs[max(0, len(logs)-sdk.MaxFailureLogs):]
	bytes := 0
	for i := len(logs) - 1; i >= 0; i-- {
		if bytes += min(len(logs[i].Line), maxLogLine); bytes > maxFailureLogBytes {
			return logs[i+1:]
		}
	}
	return logs
}

func outcomeFromProto(o *pluginv1.Outcome) *sdk.Outcome {
	if o == nil {
		return nil
	}
	out := &sdk.Outcome{
		Result: sdk.Result(o.GetResult()), Message: o.GetMessage(), Outputs: o.GetOutputs(), Addresses: o.GetAddresses(),
		Revision: o.GetRevision(), SupersededBy: o.GetSupersededBy(),
	}
	if f := o.GetFailure(); f != nil {
		out.Failure = &sdk.Failure{
			Code: f.GetCode(), Resource: f.GetResource(), Message: f.GetMessage(), Suggestion: f.GetSuggestion(),
			Logs: mapEach(f.GetLogs(), logFromProto), Events: f.GetEvents(), Environment: f.GetEnvironment(),
		}
	}
	return out
}

func probeToProto(p sdk.ProbeResult) *pluginv1.ProbeResponse {
	return &pluginv1.ProbeResponse{
		Checks: mapEach(p.Checks, func(c sdk.Check) *pluginv1.Check {
			return &pluginv1.Check{
				Name: c.Name, Type: c.Type, Status: pluginv1.Check_Status(c.Status), Message: c.Message,
				Latency: durationToProto(c.Latency), Resource: c.Resource,
			}
		}),
		Revision: p.Revision, ObservedDigest: p.ObservedDigest, Addresses: p.Addresses,
	}
}

// probeFromProto takes a status it does not know for unknown, which is never a
// reason to roll back.
func probeFromProto(p *pluginv1.ProbeResponse) sdk.ProbeResult {
	return sdk.ProbeResult{
		Checks: mapEach(p.GetChecks(), func(c *pluginv1.Check) sdk.Check {
			answer := sdk.CheckStatus(c.GetStatus())
			if answer < sdk.CheckHealthy || answer > sdk.CheckUnknown {
				answer = sdk.CheckUnknown
			}
			return sdk.Check{
				Name: c.GetName(), Type: c.GetType(), Status: answer, Message: c.GetMessage(),
				Latency: c.GetLatency().AsDuration(), Resource: c.GetResource(),
			}
		}),
		Revision: p.GetRevision(), ObservedDigest: p.GetObservedDigest(), Addresses: p.GetAddresses(),
	}
}
