package live

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// keptLines is how many log lines of each component are kept for the view.
const keptLines = 50

// State is a deployment as its events tell it. The zero value knows nothing.
type State struct {
	apiv1.Deployment
	// Known: a status body has come.
	Known   bool
	Verdict deployment.VerdictPayload
	// Revision of the candidate of each component.
	Candidates map[string]deployment.CandidatePayload
	Logs       map[string][]deployment.LogLine
	// Evidence is the last, with the component it is about.
	Evidence   *deployment.EvidencePayload
	evidenceAt time.Time
	Drift      map[string]deployment.DriftPayload
	// base is the seq that the last status body stands at: rows up to it are in
	// it already.
	base uint64
	// Changed is when the last event came that is not ephemeral.
	Changed time.Time
}

// Apply takes an event in. A type that it does not know changes nothing: a
// newer host may send more.
func (s *State) Apply(e apiv1.Event) error {
	if !e.Ephemeral {
		s.Changed = e.Time
	}
	if !e.Ephemeral && e.Seq <= s.base {
		return nil
	}
	apply, ok := appliers[deployment.EventType(e.Type)]
	if !ok {
		return nil
	}
	if err := apply(s, e); err != nil {
		return fmt.Errorf("read event %q: %w", e.Type, err)
	}
	return nil
}

// appliers has how each type of event changes the state.
var appliers = map[deployment.EventType]func(*State, apiv1.Event) error{
	deployment.EventSnapshot:          (*State).applySnapshot,
	deployment.EventAccepted:          payload((*State).applyAccepted),
	deployment.EventStatus:            payload((*State).applyStatus),
	deployment.EventWaiting:           payload((*State).applyWaiting),
	deployment.EventComponentStatus:   payload((*State).applyComponent),
	deployment.EventOperationFinished: payload((*State).applyFinished),
	deployment.EventCandidateReady:    payload((*State).applyCandidate),
	deployment.EventCandidatePromoted: payload((*State).applyCandidate),
	deployment.EventResourceStatus:    payload((*State).applyResource),
	deployment.EventCheckStatus:       payload((*State).applyCheck),
	deployment.EventVerdict:           payload((*State).applyVerdict),
	deployment.EventEvidence:          payload((*State).applyEvidence),
	deployment.EventTargetDrift:       payload((*State).applyDrift),
	deployment.EventProgress:          payload((*State).applyProgress),
	deployment.EventLog:               payload((*State).applyLog),
}

// payload decodes an event's data for one of the methods below.
func payload[P any](apply func(*State, P, time.Time)) func(*State, apiv1.Event) error {
	return func(s *State, e apiv1.Event) error {
		var p P
		if err := json.Unmarshal(e.Data, &p); err != nil {
			return err
		}
		apply(s, p, e.Time)
		return nil
	}
}

func (s *State) applySnapshot(e apiv1.Event) error {
	var d apiv1.Deployment
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return err
	}
	s.Deployment, s.Known = d, true
	s.base, s.Changed = max(d.Seq, e.Seq), d.UpdatedAt
	return nil
}

func (s *State) applyAccepted(p deployment.AcceptedPayload, at time.Time) {
	if s.Known {
		return
	}
	s.Name, s.Version, s.Environment = p.Name, p.Version, p.Environment
	s.Platforms, s.Actor, s.Remove, s.AcceptedAt = p.Platforms, p.Actor, p.Remove, at
	s.Status = string(deployment.Pending)
	for _, name := range p.Components {
		s.component(name)
	}
}

func (s *State) applyStatus(p deployment.StatusPayload, at time.Time) {
	if p.Run > s.Run {
		s.Run, s.Progress, s.ETA, s.Verdict = p.Run, apiv1.Progress{}, nil, deployment.VerdictPayload{}
	}
	s.Status, s.Reason, s.UpdatedAt = string(p.Status), p.Reason, at
	if last := len(s.Stages) - 1; last >= 0 && s.Stages[last].EndedAt == nil {
		s.Stages[last].EndedAt = &at
	}
	if p.Status.Terminal() {
		s.EndedAt, s.Waiting, s.ETA = &at, nil, nil
		s.endProgress(p.Status)
		return
	}
	s.EndedAt = nil
	s.Stages = append(s.Stages, apiv1.Stage{Run: p.Run, Name: string(p.Status), StartedAt: at})
}

// endProgress is what remains of the progress of a run that has ended: one that
// ended as it was meant to is whole.
func (s *State) endProgress(end deployment.Status) {
	const stepsOfRollback = 2
	s.Progress.CurrentStage = ""
	if end == deployment.Completed || end == deployment.RolledBack && s.Progress.TotalSteps == stepsOfRollback {
		s.Progress.Percentage, s.Progress.CurrentStep = 100, s.Progress.TotalSteps
	}
}

func (s *State) applyWaiting(p deployment.WaitingPayload, _ time.Time) {
	s.Waiting = nil
	if p.Waiting != nil {
		s.Waiting = &apiv1.Waiting{Kind: string(p.Waiting.Kind), For: p.Waiting.For, Since: p.Waiting.Since}
	}
}

func (s *State) applyComponent(p deployment.ComponentStatusPayload, _ time.Time) {
	c := s.component(p.Component)
	c.Status, c.Reason = string(p.Status), p.Reason
	if p.Status.Terminal() {
		c.Traffic = nil
	}
}

func (s *State) applyFinished(p deployment.OperationPayload, _ time.Time) {
	delete(s.Candidates, p.Component)
	s.component(p.Component).Traffic = nil
}

func (s *State) applyCandidate(p deployment.CandidatePayload, _ time.Time) {
	if s.Candidates == nil {
		s.Candidates = map[string]deployment.CandidatePayload{}
	}
	s.Candidates[p.Component] = p
	percent := p.Percent
	s.component(p.Component).Traffic = &percent
}

func (s *State) applyResource(p deployment.ResourcePayload, _ time.Time) {
	c := s.component(p.Component)
	r := apiv1.Resource{
		ID: p.ID, ParentID: p.ParentID, Kind: p.Kind, Name: p.Name, Revision: p.Revision, Health: string(p.Health),
		Desired: p.Desired, Ready: p.Ready, Restarts: p.Restarts, Reason: p.Reason, Message: p.Message,
	}
	i := slices.IndexFunc(c.Resources, func(known apiv1.Resource) bool { return known.ID == p.ID })
	switch {
	case p.Health == deployment.ResourceGone:
		if i >= 0 {
			c.Resources = slices.Delete(c.Resources, i, i+1)
		}
		// A check named like it was about it.
		c.Checks = slices.DeleteFunc(c.Checks, func(check apiv1.HealthCheck) bool { return check.Name == p.ID })
	case i >= 0:
		c.Resources[i] = r
	default:
		c.Resources = append(c.Resources, r)
	}
}

func (s *State) applyCheck(p deployment.CheckPayload, at time.Time) {
	c := s.component(p.Component)
	check := apiv1.HealthCheck{
		Name: p.Name, Type: p.Type, Status: string(p.Status), Message: p.Message, Component: p.Component,
		LatencyMS: float64(p.Latency) / float64(time.Millisecond), Since: at, CheckedAt: at,
	}
	i := slices.IndexFunc(c.Checks, func(known apiv1.HealthCheck) bool { return known.Name == p.Name })
	if i >= 0 {
		c.Checks[i] = check
	} else {
		c.Checks = append(c.Checks, check)
	}
}

func (s *State) applyVerdict(p deployment.VerdictPayload, _ time.Time) { s.Verdict = p }

// applyEvidence makes room for the lines that go with the evidence: those that
// came meanwhile are of what follows the failure.
func (s *State) applyEvidence(p deployment.EvidencePayload, at time.Time) {
	s.Evidence, s.evidenceAt = &p, at
	delete(s.Logs, p.Component)
}

func (s *State) applyDrift(p deployment.DriftPayload, _ time.Time) {
	if s.Drift == nil {
		s.Drift = map[string]deployment.DriftPayload{}
	}
	s.Drift[p.Component] = p
	if p.Resolved {
		delete(s.Drift, p.Component)
	}
}

func (s *State) applyProgress(p deployment.ProgressPayload, _ time.Time) {
	s.Progress = apiv1.Progress(p.Progress)
	s.ETA = nil
	if p.ETA != nil {
		s.ETA = &apiv1.ETA{Basis: string(p.ETA.Basis), Earliest: p.ETA.Earliest, Latest: p.ETA.Latest, Overdue: p.ETA.Overdue}
	}
}

func (s *State) applyLog(p deployment.LogPayload, _ time.Time) {
	if s.Logs == nil {
		s.Logs = map[string][]deployment.LogLine{}
	}
	if s.Evidence != nil && s.Evidence.Component == p.Component && p.Time.After(s.evidenceAt) {
		return // what the old version writes while it comes back is not why the new one failed
	}
	lines := append(s.Logs[p.Component], p.LogLine)
	s.Logs[p.Component] = lines[max(0, len(lines)-keptLines):]
}

// component returns the component of that name, a new one if need be.
func (s *State) component(name string) *apiv1.Component {
	for i := range s.Components {
		if s.Components[i].Name == name {
			return &s.Components[i]
		}
	}
	s.Components = append(s.Components, apiv1.Component{Name: name, Status: string(deployment.Pending)})
	return &s.Components[len(s.Components)-1]
}

// Ended says whether a run (0: the last one known) has ended.
func (s *State) Ended(run int) bool {
	return s.Run >= run && deployment.Status(s.Status).Terminal() && s.EndedAt != nil
}
