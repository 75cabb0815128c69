package v1

import (
	"encoding/json"
	"time"
)

// Event is one message of a WebSocket connection and one element of an events
// page. The data of each type is documented in the API reference.
type Event struct {
	Type         string          `json:"type"`
	DeploymentID string          `json:"deployment_id"`
	Seq          uint64          `json:"seq"`
	Time         time.Time       `json:"time"`
	Ephemeral    bool            `json:"ephemeral,omitempty"`
	Data         json.RawMessage `json:"data"`
	// Cursor stands after this event; on the feed of all deployments only.
	Cursor string `json:"cursor,omitempty"`
}

// EventList is a page of events, oldest first.
type EventList struct {
	Events []Event `json:"events"`
	// Next is the seq to pass as after; absent when there are no more now.
	Next uint64 `json:"next,omitempty"`
}

// FeedSnapshot is the data of the event that begins a connection to the feed of
// all deployments: the latest deployment of each target, and the platforms.
type FeedSnapshot struct {
	Deployments []Deployment `json:"deployments"`
	Plugins     []Plugin     `json:"plugins"`
}

// Slow is the data of the last message ("slow") to a client that was cut.
type Slow struct {
	LastSeq uint64 `json:"last_seq"`
	Message string `json:"message"`
}
