package live

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Describe returns what an event says as one plain line without its time:
// what, from → to, reason. "" for what is no change of its own: progress, log
// lines, and types it does not know.
func Describe(e apiv1.Event) string {
	describe, ok := describers[deployment.EventType(e.Type)]
	if !ok {
		return ""
	}
	line, err := describe(e.Data)
	if err != nil {
		return output.Clean(fmt.Sprintf("%s (unreadable: %v)", e.Type, err))
	}
	return output.Clean(line)
}

// Line returns the line of an event with its time, for a log.
func Line(e apiv1.Event) string {
	text := Describe(e)
	if text == "" {
		return ""
	}
	return e.Time.Local().Format(time.TimeOnly) + "  " + text
}

var describers = map[deployment.EventType]func(json.RawMessage) (string, error){
	deployment.EventSnapshot: describer(func(d apiv1.Deployment) string {
		return sentence("deployment", title(d)+" is "+d.Status, d.Reason)
	}),
	deployment.EventAccepted: describer(func(p deployment.AcceptedPayload) string {
		verb := "deployment"
		if p.Remove {
			verb = "removal"
		}
		return sentence("deployment", fmt.Sprintf("%s of %s %s to %s accepted", verb, p.Name, p.Version, p.Environment), "by "+p.Actor)
	}),
	deployment.EventStatus: describer(func(p deployment.StatusPayload) string {
		return sentence("deployment", arrow(string(p.From), string(p.Status)), p.Reason)
	}),
	deployment.EventWaiting: describer(func(p deployment.WaitingPayload) string {
		if p.Waiting == nil {
			return sentence("deployment", "waits no more", "")
		}
		return sentence("deployment", waitingText(string(p.Waiting.Kind), p.Waiting.For, 0), "")
	}),
	deployment.EventComponentStatus: describer(func(p deployment.ComponentStatusPayload) string {
		return sentence(p.Component, arrow(string(p.From), string(p.Status)), p.Reason)
	}),
	deployment.EventOperationStarted: describer(func(p deployment.OperationPayload) string {
		return sentence(p.Component, string(p.Kind)+" started", p.Message)
	}),
	deployment.EventOperationFinished: describer(func(p deployment.OperationPayload) string {
		return sentence(p.Component, string(p.Kind)+" "+string(p.Result), strings.TrimSpace(p.Code+" "+p.Message))
	}),
	deployment.EventCandidateReady: describer(func(p deployment.CandidatePayload) string {
		return sentence(p.Component, "candidate is up, without traffic", p.Revision)
	}),
	deployment.EventCandidatePromoted: describer(func(p deployment.CandidatePayload) string {
		return sentence(p.Component, fmt.Sprintf("candidate gets %d%% of the traffic", p.Percent), p.Revision)
	}),
	deployment.EventResourceStatus: describer(func(p deployment.ResourcePayload) string {
		reason := strings.TrimSpace(p.Reason + " " + p.Message)
		if p.Restarts > 0 {
			reason = strings.TrimSpace(fmt.Sprintf("%s (restarts %d)", reason, p.Restarts))
		}
		return sentence(p.Component+"/"+first(p.Name, p.ID), arrow("", string(p.Health)), reason)
	}),
	deployment.EventCheckStatus: describer(func(p deployment.CheckPayload) string {
		return sentence(p.Component+"/"+p.Name, "check "+arrow(string(p.From), string(p.Status)), p.Message)
	}),
	deployment.EventSnapshotTaken: describer(func(p deployment.SnapshotPayload) string {
		what := p.Which + " snapshot taken"
		if p.Empty {
			what += " (nothing runs)"
		}
		return sentence(p.Component, what, p.Revision)
	}),
	deployment.EventVerdict: describer(func(p deployment.VerdictPayload) string {
		return sentence(first(p.Component, "deployment"), "verdict "+string(p.Verdict), p.Reason)
	}),
	deployment.EventEvidence: describer(func(p deployment.EvidencePayload) string {
		return sentence(p.Component, "evidence kept "+strings.TrimSpace(p.Code+" "+p.Resource), p.Suggestion)
	}),
	deployment.EventTargetDrift: describer(func(p deployment.DriftPayload) string {
		what := "drift: changed by " + first(p.By, "somebody else")
		if p.Resolved {
			what = "drift is gone"
		}
		return sentence(p.Component, what, p.Message)
	}),
}

func describer[P any](describe func(P) string) func(json.RawMessage) (string, error) {
	return func(data json.RawMessage) (string, error) {
		var p P
		if err := json.Unmarshal(data, &p); err != nil {
			return "", err
		}
		return describe(p), nil
	}
}

// Still is the line that is written when nothing has changed for a while.
func (s *State) Still(now time.Time) string {
	p := s.Progress
	text := fmt.Sprintf("still %s, %.1f%%", first(s.Status, "unknown"), p.Percentage)
	if p.TotalSteps > 0 {
		text += fmt.Sprintf(", step %d of %d", p.CurrentStep, p.TotalSteps)
	}
	if p.CurrentStage != "" {
		text += ", " + p.CurrentStage
	}
	if s.Waiting != nil {
		text += ", " + waitingText(s.Waiting.Kind, s.Waiting.For, s.Waiting.Position)
	}
	if eta := etaText(s.ETA, now); eta != "" {
		text += ", " + eta
	}
	return output.Clean(now.Local().Format(time.TimeOnly) + "  " + sentence("deployment", text, s.Reason))
}

func title(d apiv1.Deployment) string {
	if d.Remove {
		return "removal of " + d.Name + " from " + d.Environment
	}
	return strings.Join([]string{d.Name, d.Version, d.Environment}, " ")
}

func sentence(subject, text, reason string) string {
	line := subject + "  " + text
	if reason != "" {
		line += ": " + reason
	}
	return line
}

func arrow(from, to string) string {
	if from == "" {
		return to
	}
	return from + " → " + to
}

func first(candidates ...string) string {
	for _, candidate := range candidates {
		if candidate != "" {
			return candidate
		}
	}
	return ""
}
