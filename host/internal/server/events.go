package server

import (
	"encoding/json"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// eventOf translates an event. Without a token evidence is its key and code:
// what it suggests may quote the application.
func eventOf(e deployment.Event, anonymous bool) v1.Event {
	event := v1.Event{
		Type: string(e.Type), DeploymentID: e.DeploymentID, Seq: e.Seq, Time: e.Time,
		Ephemeral: e.Ephemeral, Data: e.Data,
	}
	if len(event.Data) == 0 {
		event.Data = json.RawMessage("{}")
	}
	if anonymous && e.Type == deployment.EventEvidence {
		event.Data = bareEvidence(e.Data)
	}
	return event
}

// bareEvidence keeps the key, the component and the code.
func bareEvidence(data json.RawMessage) json.RawMessage {
	var full deployment.EvidencePayload
	if err := json.Unmarshal(data, &full); err != nil {
		return json.RawMessage("{}")
	}
	bare, err := json.Marshal(deployment.EvidencePayload{Key: full.Key, Component: full.Component, Code: full.Code})
	if err != nil {
		return json.RawMessage("{}")
	}
	return bare
}
