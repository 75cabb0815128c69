package record

import (
	"slices"
	"strings"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

// Bounds of the evidence that an outcome keeps.
const (
	maxText   = 4 << 10  // of a message, a line, an event
	maxLines  = 64 << 10 // of all lines
	maxEvents = 32 << 10 // of all events
	// withEvidence is how many of the last operations keep theirs.
	withEvidence = 5
)

// The results of an operation, as they are written.
const (
	Succeeded  = "succeeded"
	Failed     = "failed"
	Cancelled  = "cancelled"
	Superseded = "superseded"
)

// Outcome is how an operation ended.
type Outcome struct {
	Result    string            `json:"result"`
	Message   string            `json:"message"`
	By        string            `json:"by,omitempty"` // who superseded it
	Revision  string            `json:"revision,omitempty"`
	Addresses map[string]string `json:"addresses,omitempty"`
	Outputs   map[string]string `json:"outputs,omitempty"`
	Failure   *Failure          `json:"failure,omitempty"`
}

// Failure is why it failed, with what a person needs to see.
type Failure struct {
	Code        string   `json:"code"`
	Resource    string   `json:"resource,omitempty"`
	Message     string   `json:"message"`
	Suggestion  string   `json:"suggestion,omitempty"`
	Environment bool     `json:"environment,omitempty"`
	Lines       []Line   `json:"lines,omitempty"`
	Events      []string `json:"events,omitempty"`
}

// Line is a line of output.
type Line struct {
	Resource string    `json:"resource,omitempty"`
	Text     string    `json:"text"`
	Previous bool      `json:"previous,omitempty"`
	At       time.Time `json:"at"`
	Stream   string    `json:"stream,omitempty"`
}

var (
	written = map[sdk.Result]string{
		sdk.ResultSucceeded: Succeeded, sdk.ResultFailed: Failed, sdk.ResultCancelled: Cancelled, sdk.ResultSuperseded: Superseded,
	}
	results = map[string]sdk.Result{
		Succeeded: sdk.ResultSucceeded, Failed: sdk.ResultFailed, Cancelled: sdk.ResultCancelled, Superseded: sdk.ResultSuperseded,
	}
)

// newOutcome is an outcome as it is written, within bounds: the newest lines and events
// are kept.
func newOutcome(o sdk.Outcome) *Outcome {
	out := &Outcome{
		Result: written[o.Result], Message: clip(o.Message), By: o.SupersededBy, Revision: o.Revision, Addresses: o.Addresses, Outputs: o.Outputs,
	}
	f := o.Failure
	if f == nil {
		return out
	}
	out.Failure = &Failure{
		Code: f.Code, Resource: f.Resource, Message: clip(f.Message), Suggestion: clip(f.Suggestion), Environment: f.Environment,
	}
	out.Failure.Events = newest(f.Events, maxEvents, func(event string) (string, int) {
		return clip(event), len(clip(event))
	})
	out.Failure.Lines = newest(f.Logs[max(0, len(f.Logs)-sdk.MaxFailureLogs):], maxLines, func(l sdk.LogLine) (Line, int) {
		text := clip(l.Line)
		return Line{Resource: l.Resource, Text: text, Previous: l.Previous, At: l.Time, Stream: l.Stream}, len(text)
	})
	return out
}

// newest keeps the last of what there is, as much as fits.
func newest[From, To any](all []From, room int, write func(From) (To, int)) []To {
	var kept []To
	for i := len(all) - 1; i >= 0; i-- {
		one, size := write(all[i])
		if room -= size; room < 0 {
			break
		}
		kept = append(kept, one)
	}
	slices.Reverse(kept)
	return kept
}

// forgetEvidence drops what showed why an operation failed.
func (o *Operation) forgetEvidence() {
	if o.Outcome != nil && o.Outcome.Failure != nil {
		o.Outcome.Failure.Lines, o.Outcome.Failure.Events = nil, nil
	}
}

// outcome is how an operation ended, as the contract says it; nil if it has not.
func (o *Operation) outcome() *sdk.Outcome {
	w := o.Outcome
	if w == nil {
		return nil
	}
	out := &sdk.Outcome{
		Result: results[w.Result], Message: w.Message, SupersededBy: w.By, Revision: w.Revision, Addresses: w.Addresses, Outputs: w.Outputs,
	}
	if out.Revision == "" {
		out.Revision = o.Revision
	}
	if f := w.Failure; f != nil {
		out.Failure = &sdk.Failure{
			Code: f.Code, Resource: f.Resource, Message: f.Message, Suggestion: f.Suggestion, Environment: f.Environment, Events: f.Events,
		}
		if out.Failure.Resource == "" {
			out.Failure.Resource = o.Subject
		}
		for _, l := range f.Lines {
			out.Failure.Logs = append(out.Failure.Logs, sdk.LogLine{Resource: l.Resource, Line: l.Text, Previous: l.Previous, Time: l.At, Stream: l.Stream})
		}
	}
	return out
}

// FailureOf says what an error of the cluster means for an operation.
func FailureOf(err error) sdk.Failure {
	f := sdk.Failure{Code: sdk.CodeOther}
	switch sdk.ReasonOf(err) {
	case sdk.ReasonAuth:
		f.Code, f.Suggestion = sdk.CodePermissionDenied, "grant the right to the account that apm uses, then deploy again"
	case sdk.ReasonQuota:
		f.Code, f.Suggestion = sdk.CodeQuotaExceeded, "raise the quota of the namespace, or ask for less"
	}
	if cluster.IsDown(err) {
		f.Code, f.Environment = sdk.CodePlatformDown, true
	}
	return f
}

// clip bounds a text, at a rune.
func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + " …"
}
