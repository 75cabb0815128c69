package record

import "github.com/apm-deploy/apm/sdk"

// Structs without structs in them are converted as they are, which the compiler
// refuses once the SDK's type has another field than ours.

func each[A, B any](in []A, convert func(A) B) []B {
	if in == nil {
		return nil
	}
	out := make([]B, len(in))
	for i, one := range in {
		out[i] = convert(one)
	}
	return out
}

func pointer[A, B any](in *A, convert func(A) B) *B {
	if in == nil {
		return nil
	}
	out := convert(*in)
	return &out
}

func ofResource(r sdk.Resource) Resource    { return Resource(r) }
func ofLog(l sdk.LogLine) LogLine           { return LogLine(l) }
func ofCandidate(c sdk.Candidate) Candidate { return Candidate(c) }
func ofDrift(d sdk.Drift) Drift             { return Drift(d) }
func ofCheck(c sdk.Check) Check             { return Check(c) }
func toResource(r Resource) sdk.Resource    { return sdk.Resource(r) }
func toLog(l LogLine) sdk.LogLine           { return sdk.LogLine(l) }
func toCandidate(c Candidate) sdk.Candidate { return sdk.Candidate(c) }
func toDrift(d Drift) sdk.Drift             { return sdk.Drift(d) }
func toCheck(c Check) sdk.Check             { return sdk.Check(c) }

// OfEvents returns events as they are written down. Those that only the SDK sends
// (Handle, Heartbeat) have no place here.
func OfEvents(events []sdk.Event) []Event {
	return each(events, func(e sdk.Event) Event {
		return Event{
			ObservedAt: e.ObservedAt, State: pointer(e.State, ofState), Resource: pointer(e.Resource, ofResource),
			Log: pointer(e.Log, ofLog), DroppedLogLines: e.DroppedLogLines, Candidate: pointer(e.Candidate, ofCandidate),
			Drift: pointer(e.Drift, ofDrift), Outcome: OfOutcome(e.Outcome), ResumeToken: e.ResumeToken,
		}
	})
}

// ToEvents is the way back of OfEvents.
func ToEvents(events []Event) []sdk.Event {
	return each(events, func(e Event) sdk.Event {
		return sdk.Event{
			ObservedAt: e.ObservedAt, State: pointer(e.State, toState), Resource: pointer(e.Resource, toResource),
			Log: pointer(e.Log, toLog), DroppedLogLines: e.DroppedLogLines, Candidate: pointer(e.Candidate, toCandidate),
			Drift: pointer(e.Drift, toDrift), Outcome: ToOutcome(e.Outcome), ResumeToken: e.ResumeToken,
		}
	})
}

func ofState(s sdk.State) State {
	return State{
		Phase: s.Phase, Message: s.Message, Fraction: s.Fraction,
		Resources: each(s.Resources, ofResource), Candidate: pointer(s.Candidate, ofCandidate),
	}
}

func toState(s State) sdk.State {
	return sdk.State{
		Phase: s.Phase, Message: s.Message, Fraction: s.Fraction,
		Resources: each(s.Resources, toResource), Candidate: pointer(s.Candidate, toCandidate),
	}
}

// OfOutcome returns an outcome as it is written down; nil stays nil.
func OfOutcome(outcome *sdk.Outcome) *Outcome {
	return pointer(outcome, func(o sdk.Outcome) Outcome {
		return Outcome{
			Result: o.Result, Message: o.Message, Outputs: o.Outputs, Addresses: o.Addresses, Revision: o.Revision,
			SupersededBy: o.SupersededBy,
			Failure: pointer(o.Failure, func(f sdk.Failure) Failure {
				return Failure{
					Code: f.Code, Resource: f.Resource, Message: f.Message, Suggestion: f.Suggestion,
					Logs: each(f.Logs, ofLog), Events: f.Events, Environment: f.Environment,
				}
			}),
		}
	})
}

// ToOutcome is the way back of OfOutcome.
func ToOutcome(outcome *Outcome) *sdk.Outcome {
	return pointer(outcome, func(o Outcome) sdk.Outcome {
		return sdk.Outcome{
			Result: o.Result, Message: o.Message, Outputs: o.Outputs, Addresses: o.Addresses, Revision: o.Revision,
			SupersededBy: o.SupersededBy,
			Failure: pointer(o.Failure, func(f Failure) sdk.Failure {
				return sdk.Failure{
					Code: f.Code, Resource: f.Resource, Message: f.Message, Suggestion: f.Suggestion,
					Logs: each(f.Logs, toLog), Events: f.Events, Environment: f.Environment,
				}
			}),
		}
	})
}

// OfLines returns log lines as they are written down.
func OfLines(lines []sdk.LogLine) []LogLine { return each(lines, ofLog) }

// ToLines is the way back of OfLines.
func ToLines(lines []LogLine) []sdk.LogLine { return each(lines, toLog) }

// OfProbe returns what a look saw as it is written down.
func OfProbe(p sdk.ProbeResult) Probe {
	return Probe{Checks: each(p.Checks, ofCheck), Revision: p.Revision, ObservedDigest: p.ObservedDigest, Addresses: p.Addresses}
}

// ToProbe is the way back of OfProbe.
func ToProbe(p Probe) sdk.ProbeResult {
	return sdk.ProbeResult{Checks: each(p.Checks, toCheck), Revision: p.Revision, ObservedDigest: p.ObservedDigest, Addresses: p.Addresses}
}
