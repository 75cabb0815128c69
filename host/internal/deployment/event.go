package deployment

import (
	"encoding/json"
	"time"
)

// EventType names a kind of event.
type EventType string

// The types that are rows: transitions, numbered without gap per deployment.
const (
	EventAccepted          EventType = "deployment.accepted"
	EventStatus            EventType = "deployment.status"
	EventWaiting           EventType = "deployment.waiting"
	EventComponentStatus   EventType = "component.status"
	EventOperationStarted  EventType = "operation.started"
	EventOperationFinished EventType = "operation.finished"
	EventCandidateReady    EventType = "candidate.ready"
	EventCandidatePromoted EventType = "candidate.promoted"
	EventResourceStatus    EventType = "resource.status"
	EventCheckStatus       EventType = "check.status"
	EventSnapshotTaken     EventType = "snapshot.taken"
	EventVerdict           EventType = "verdict"
	EventEvidence          EventType = "evidence"
	EventTargetDrift       EventType = "target.drift"
)

// The types that are never rows: seq is that of the last row.
const (
	EventProgress EventType = "progress"
	EventLog      EventType = "log"
	// EventSnapshot begins a connection: the status body.
	EventSnapshot EventType = "snapshot"
	// EventPlugin is a platform in another state, on the feed of all deployments
	// only; it is of no deployment.
	EventPlugin EventType = "plugin.status"
)

// Event is one recorded fact. Data is one of the payloads below.
type Event struct {
	Type         EventType       `json:"type"`
	DeploymentID string          `json:"deployment_id"`
	Seq          uint64          `json:"seq"`
	Time         time.Time       `json:"time"`
	Ephemeral    bool            `json:"ephemeral,omitempty"`
	Data         json.RawMessage `json:"data"`
}

// AcceptedPayload is the data of deployment.accepted.
type AcceptedPayload struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	Environment string   `json:"environment"`
	Platforms   []string `json:"platforms"`
	Components  []string `json:"components"`
	Actor       string   `json:"actor"`
	Remove      bool     `json:"remove,omitempty"`
}

// StatusPayload is the data of deployment.status.
type StatusPayload struct {
	Run    int    `json:"run"`
	From   Status `json:"from,omitempty"`
	Status Status `json:"status"`
	Reason string `json:"reason"`
}

// WaitingPayload is the data of deployment.waiting; null when it waits no more.
type WaitingPayload struct {
	Waiting *Waiting `json:"waiting"`
}

// ComponentStatusPayload is the data of component.status.
type ComponentStatusPayload struct {
	Component string `json:"component"`
	From      Status `json:"from,omitempty"`
	Status    Status `json:"status"`
	Reason    string `json:"reason,omitempty"`
}

// OperationPayload is the data of operation.started and operation.finished.
type OperationPayload struct {
	Component string        `json:"component"`
	Operation string        `json:"operation_id"`
	Kind      OperationKind `json:"kind"`
	Staged    bool          `json:"staged,omitempty"`
	Result    Result        `json:"result,omitempty"` // of finished
	Message   string        `json:"message,omitempty"`
	Code      string        `json:"code,omitempty"`
}

// CandidatePayload is the data of candidate.ready (percent 0) and
// candidate.promoted.
type CandidatePayload struct {
	Component string            `json:"component"`
	Operation string            `json:"operation_id"`
	Revision  string            `json:"revision,omitempty"`
	Addresses map[string]string `json:"addresses,omitempty"`
	Percent   int               `json:"percent"`
}

// ResourcePayload is the data of resource.status.
type ResourcePayload struct {
	Component string `json:"component"`
	Resource
}

// CheckPayload is the data of check.status.
type CheckPayload struct {
	Component string        `json:"component"`
	Name      string        `json:"name"`
	Type      string        `json:"type"`
	From      Health        `json:"from,omitempty"`
	Status    Health        `json:"status"`
	Message   string        `json:"message,omitempty"`
	Latency   time.Duration `json:"latency_ns,omitempty"`
}

// SnapshotPayload is the data of snapshot.taken.
type SnapshotPayload struct {
	Component      string `json:"component"`
	Which          string `json:"which"` // before or after
	Digest         string `json:"digest,omitempty"`
	ObservedDigest string `json:"observed_digest,omitempty"`
	Revision       string `json:"revision,omitempty"`
	Empty          bool   `json:"empty,omitempty"`
}

// VerdictPayload is the data of verdict.
type VerdictPayload struct {
	Component string         `json:"component,omitempty"`
	Verdict   VerdictKind    `json:"verdict"`
	Reason    string         `json:"reason"`
	Checks    []CheckPayload `json:"checks,omitempty"` // what it rests on
}

// EvidencePayload is the data of evidence; the evidence itself needs a token.
type EvidencePayload struct {
	Key        string `json:"evidence_id"`
	Component  string `json:"component"`
	Code       string `json:"code"`
	Resource   string `json:"resource,omitempty"`
	Suggestion string `json:"suggestion,omitempty"`
}

// DriftPayload is the data of target.drift.
type DriftPayload struct {
	Component string `json:"component"`
	By        string `json:"by"`
	Message   string `json:"message"`
	Revision  string `json:"revision,omitempty"`
	Baseline  string `json:"baseline,omitempty"`
	Observed  string `json:"observed,omitempty"`
	Undone    bool   `json:"undone,omitempty"`
	Resolved  bool   `json:"resolved,omitempty"` // the baseline is back
}

// ProgressPayload is the data of progress.
type ProgressPayload struct {
	Progress
	ETA *ETA `json:"eta,omitempty"`
}

// LogPayload is the data of log.
type LogPayload struct {
	Component string `json:"component"`
	LogLine
	Dropped uint64 `json:"dropped,omitempty"` // lines before this one that were not kept
}
