package live

import (
	"context"
	"encoding/json"
	"fmt"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// WithEvidence adds to a stream the last log lines of what failed, as log
// events after the event that says that evidence was kept: the lines that were
// written before somebody watched are the ones that tell. What cannot be read
// (it needs a token) is left out.
func WithEvidence(stream Stream, read func(ctx context.Context) (apiv1.EvidenceList, error)) Stream {
	return func(ctx context.Context, yield func(apiv1.Event) error) error {
		return stream(ctx, func(e apiv1.Event) error {
			if err := yield(e); err != nil || deployment.EventType(e.Type) != deployment.EventEvidence {
				return err
			}
			list, err := read(ctx)
			if err != nil || len(list.Evidence) == 0 {
				return ctx.Err()
			}
			last := list.Evidence[len(list.Evidence)-1]
			for _, line := range last.Logs {
				event, err := logEvent(e, last.Component, line)
				if err != nil {
					return err
				}
				if err := yield(event); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func logEvent(after apiv1.Event, component string, line apiv1.LogLine) (apiv1.Event, error) {
	data, err := json.Marshal(deployment.LogPayload{Component: component, LogLine: deployment.LogLine{
		Resource: line.Resource, Line: line.Line, Previous: line.Previous, Time: line.Time, Stream: line.Stream,
	}})
	if err != nil {
		return apiv1.Event{}, fmt.Errorf("encode log line: %w", err)
	}
	return apiv1.Event{
		Type: string(deployment.EventLog), DeploymentID: after.DeploymentID, Seq: after.Seq,
		Time: after.Time, Ephemeral: true, Data: data,
	}, nil
}
