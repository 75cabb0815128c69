package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// evidenceLines is how many log lines of a component are kept with a failure, and
// as many of its instances that ended.
const evidenceLines = 50

// errEnough ends the reading of log lines.
var errEnough = errors.New("enough")

// gather collects what a person needs to see of a failure that the host
// concluded: the transcript, the resources, and the last log lines.
func (o *owner) gather(ctx context.Context, k *checkup, f deployment.Failure) *deployment.Evidence {
	evidence := &deployment.Evidence{
		Component: k.component, Code: f.Code, Resource: f.Resource,
		Message: f.Message, Suggestion: f.Suggestion, Checks: k.records(),
	}
	o.read(func() {
		evidence.Resources = append(evidence.Resources, k.d.Component(k.component).Resources...)
	})
	p, err := o.engine.answers(k.platform)
	if err != nil {
		return evidence
	}
	o.read(func() { p = o.discreetly(p, k.d, k.component) })
	reader, reads := p.(sdk.LogReader)
	if !reads || !sdk.CapabilitiesOf(p).Logs {
		return evidence
	}
	bounded, cancel := context.WithTimeout(ctx, o.engine.Retry)
	defer cancel()
	now := o.lastLines(bounded, reader, k, false)
	seen := map[deployment.LogLine]bool{}
	for _, line := range now {
		line.Previous = true // a platform may send lines of before with those of now
		seen[line] = true
	}
	for _, line := range o.lastLines(bounded, reader, k, true) {
		if !seen[line] {
			evidence.Logs = append(evidence.Logs, line)
		}
	}
	evidence.Logs = append(evidence.Logs, now...)
	return evidence
}

// lastLines reads the last log lines of a component, or of the instances of it
// that ended: what died is what matters as a rule.
func (o *owner) lastLines(ctx context.Context, reader sdk.LogReader, k *checkup, previous bool) []deployment.LogLine {
	var all []deployment.LogLine
	err := reader.Logs(ctx, sdk.LogsRequest{
		Target: k.target, Handle: toHandle(k.handle), Tail: evidenceLines, Previous: previous,
	}, func(lines ...sdk.LogLine) error {
		for _, line := range lines {
			one := fromLog(line)
			one.Previous = one.Previous || previous
			all = append(all, one)
		}
		if len(all) > 10*evidenceLines {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		o.log.Warn("read log lines for evidence", "component", k.component, "error", err)
	}
	return all[max(len(all)-evidenceLines, 0):]
}

// keepEvidence stores the evidence of a failure before anything is undone.
func (o *owner) keepEvidence(d *deployment.Deployment, f *failure) {
	if f.Evidence != "" || f.Code == deployment.CodeCancelled {
		return
	}
	if f.evidence == nil {
		f.evidence = &deployment.Evidence{
			Component: f.Component, Code: f.Code, Resource: f.Resource,
			Message: f.Message, Suggestion: f.Suggestion,
		}
		o.read(func() {
			if c := d.Component(f.Component); c != nil {
				f.evidence.Resources = append(f.evidence.Resources, c.Resources...)
			}
		})
	}
	_ = o.commit(d, func(c *change) { // an error has stopped the owner
		f.Evidence = o.addEvidence(d, c, *f.evidence)
	})
}

// addEvidence adds the sealed evidence and its row to a change, and returns its
// key.
func (o *owner) addEvidence(d *deployment.Deployment, c *change, evidence deployment.Evidence) string {
	run := 0
	if r := d.Run(); r != nil {
		run = r.Number
	}
	count := 0
	for i := range d.Components {
		count += len(d.Components[i].Evidence)
	}
	evidence.At = c.now
	key := fmt.Sprintf("evidence/%s/%d/%d", d.ID, run, count+1)
	data, err := json.Marshal(evidence)
	if err != nil {
		o.log.Error("encode evidence", "error", err)
		return ""
	}
	c.blobs = append(c.blobs, deployment.Blob{Key: key, DeploymentID: d.ID, Data: data})
	if component := d.Component(evidence.Component); component != nil {
		component.Evidence = append(component.Evidence, deployment.EvidenceRef{
			Key: key, Run: run, Component: evidence.Component, Code: evidence.Code, At: c.now,
		})
	}
	c.event(deployment.EventEvidence, deployment.EvidencePayload{
		Key: key, Component: evidence.Component, Code: evidence.Code,
		Resource: evidence.Resource, Suggestion: evidence.Suggestion,
	})
	return key
}
