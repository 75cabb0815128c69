// Package record is the SDK's types as they are written down: in the messages
// between a plugin and a shim, and in the state file. A shim lives longer than the
// plugin that started it, so that a newer plugin reads what an older shim wrote and
// the other way round: names and numbers here are never changed, whatever becomes
// of the types that they stand for; fields are only added.
package record

import (
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// Event is sdk.Event.
type Event struct {
	ObservedAt      time.Time  `json:"ObservedAt,omitzero"`
	State           *State     `json:"State,omitempty"`
	Resource        *Resource  `json:"Resource,omitempty"`
	Log             *LogLine   `json:"Log,omitempty"`
	DroppedLogLines uint64     `json:"DroppedLogLines,omitempty"`
	Candidate       *Candidate `json:"Candidate,omitempty"`
	Drift           *Drift     `json:"Drift,omitempty"`
	Outcome         *Outcome   `json:"Outcome,omitempty"`
	ResumeToken     []byte     `json:"ResumeToken,omitempty"`
}

// State is sdk.State.
type State struct {
	Phase     sdk.Phase  `json:"Phase"`
	Message   string     `json:"Message,omitempty"`
	Fraction  float64    `json:"Fraction,omitempty"`
	Resources []Resource `json:"Resources,omitempty"`
	Candidate *Candidate `json:"Candidate,omitempty"`
}

// Resource is sdk.Resource.
type Resource struct {
	ID       string             `json:"ID"`
	ParentID string             `json:"ParentID,omitempty"`
	Kind     string             `json:"Kind,omitempty"`
	Name     string             `json:"Name,omitempty"`
	Revision string             `json:"Revision,omitempty"`
	Health   sdk.ResourceHealth `json:"Health,omitempty"`
	Desired  uint32             `json:"Desired,omitempty"`
	Ready    uint32             `json:"Ready,omitempty"`
	Restarts uint32             `json:"Restarts,omitempty"`
	Reason   string             `json:"Reason,omitempty"`
	Message  string             `json:"Message,omitempty"`
}

// LogLine is sdk.LogLine.
type LogLine struct {
	Resource string    `json:"Resource,omitempty"`
	Line     string    `json:"Line"`
	Previous bool      `json:"Previous,omitempty"`
	Time     time.Time `json:"Time,omitzero"`
	Stream   string    `json:"Stream,omitempty"`
}

// Candidate is sdk.Candidate.
type Candidate struct {
	Addresses map[string]string `json:"Addresses,omitempty"`
	Revision  string            `json:"Revision,omitempty"`
	Percent   int               `json:"Percent,omitempty"`
}

// Drift is sdk.Drift.
type Drift struct {
	By       string `json:"By,omitempty"`
	Message  string `json:"Message,omitempty"`
	Revision string `json:"Revision,omitempty"`
	Undone   bool   `json:"Undone,omitempty"`
}

// Outcome is sdk.Outcome.
type Outcome struct {
	Result       sdk.Result        `json:"Result"`
	Message      string            `json:"Message,omitempty"`
	Failure      *Failure          `json:"Failure,omitempty"`
	Outputs      map[string]string `json:"Outputs,omitempty"`
	Addresses    map[string]string `json:"Addresses,omitempty"`
	Revision     string            `json:"Revision,omitempty"`
	SupersededBy string            `json:"SupersededBy,omitempty"`
}

// Failure is sdk.Failure.
type Failure struct {
	Code        string    `json:"Code"`
	Resource    string    `json:"Resource,omitempty"`
	Message     string    `json:"Message,omitempty"`
	Suggestion  string    `json:"Suggestion,omitempty"`
	Logs        []LogLine `json:"Logs,omitempty"`
	Events      []string  `json:"Events,omitempty"`
	Environment bool      `json:"Environment,omitempty"`
}

// Probe is sdk.ProbeResult.
type Probe struct {
	Checks         []Check           `json:"Checks,omitempty"`
	Revision       string            `json:"Revision,omitempty"`
	ObservedDigest string            `json:"ObservedDigest,omitempty"`
	Addresses      map[string]string `json:"Addresses,omitempty"`
}

// Check is sdk.Check.
type Check struct {
	Name     string          `json:"Name"`
	Type     string          `json:"Type,omitempty"`
	Status   sdk.CheckStatus `json:"Status"`
	Message  string          `json:"Message,omitempty"`
	Latency  time.Duration   `json:"Latency,omitempty"`
	Resource string          `json:"Resource,omitempty"`
}
