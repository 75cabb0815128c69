// Package state is what a shim remembers of its component, in one file. The
// shim is its only writer; plugins read it to find the shim, and to answer when
// there is no shim any more. It must never hold anything that cannot be read
// again by the plugin version after it.
package state

import (
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/record"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
	"github.com/apm-deploy/apm/sdk"
)

// Version is what Save writes; Load reads it and the one before.
const Version = 2

// MaxOperations is how many operations are remembered, the newest last.
const MaxOperations = 50

// maxEvidence is how many operations keep the log lines of their failure.
const maxEvidence = 5

// Identity says which component this is.
type Identity struct {
	Installation string `json:"installation"`
	Application  string `json:"application"`
	Environment  string `json:"environment"`
	Component    string `json:"component"`
}

// State is the whole of it. A State with no Serving and no Active operation is a tombstone: it answers for finished operations and fences.
type State struct {
	Version    int         `json:"version"`
	Nonce      string      `json:"nonce"` // of the shim's start; proves both sides to each other
	Identity   Identity    `json:"identity"`
	Epoch      uint64      `json:"epoch"` // highest seen
	Shim       Shim        `json:"shim"`
	Generation int         `json:"generation"` // number of the newest release started
	Serving    *Deployed   `json:"serving,omitempty"`
	Active     string      `json:"active,omitempty"` // id of the operation under way
	Operations []Operation `json:"operations,omitempty"`
	Processes  []Process   `json:"processes,omitempty"`
	Artifacts  []string    `json:"artifacts,omitempty"` // digests that served, newest last; kept for rollbacks
	Tried      string      `json:"tried,omitempty"`     // of the newest that never served; kept for another try
	// Snapshots are the digests of the snapshots that need an artifact, of those in
	// Artifacts; Retain those that the host said last it may go back to.
	Snapshots map[string][]string `json:"snapshots,omitempty"`
	Retain    []string            `json:"retain,omitempty"`
	Settings  Settings            `json:"settings"`
}

// Shim says where the shim is.
type Shim struct {
	PID    int    `json:"pid"`
	Start  string `json:"start"` // of the process, as the kernel counts
	Socket string `json:"socket"`
}

// Settings come from the platform's configuration, with each operation.
type Settings struct {
	Keep    int   `json:"keep"`
	LogSize int64 `json:"log_size"`
}

// Deployed is a release with the stamps of the operation that brought it.
type Deployed struct {
	Generation   int             `json:"generation"`
	Version      string          `json:"version"`
	OperationID  string          `json:"operation_id"`
	DeploymentID string          `json:"deployment_id"`
	Digest       string          `json:"digest"`
	Epoch        uint64          `json:"epoch"`
	Since        time.Time       `json:"since"`
	Release      release.Release `json:"release"`
	Replaced     *Replaced       `json:"replaced,omitempty"` // what a rollback took away for it
}

// Replaced is what tells that somebody brings back what was rolled back.
type Replaced struct {
	Version  string `json:"version"`
	Artifact string `json:"artifact,omitempty"`
	Files    string `json:"files"`
}

// Phases of an operation.
const (
	PhaseStarting = "starting" // instances come up
	PhaseReady    = "ready"    // the candidate is up and waits for traffic
	PhaseSettling = "settling" // the new release serves, the old one is stopped
	PhaseRemoving = "removing" // everything is stopped
	PhaseFinished = "finished"
)

// Operation is what became of an operation.
type Operation struct {
	ID           string            `json:"id"`
	DeploymentID string            `json:"deployment_id"`
	Kind         sdk.OperationKind `json:"kind"`
	Digest       string            `json:"digest"`
	Epoch        uint64            `json:"epoch"`
	Staged       bool              `json:"staged"`
	Removes      bool              `json:"removes,omitempty"` // a rollback to nothing
	Version      string            `json:"version"`
	Phase        string            `json:"phase"`
	Percent      int               `json:"percent"` // as last asked for
	Cancelled    bool              `json:"cancelled,omitempty"`
	SupersededBy string            `json:"superseded_by,omitempty"`
	Before       string            `json:"before,omitempty"`  // observed digest when it was accepted
	Changed      string            `json:"changed,omitempty"` // what somebody else changed since; it ends the operation
	Started      time.Time         `json:"started"`
	Finished     time.Time         `json:"finished,omitzero"`
	Goal         *Deployed         `json:"goal,omitempty"` // while it is under way; nil: remove
	Outcome      *record.Outcome   `json:"outcome,omitempty"`
}

// Stopped says that it is to end without having done anything.
func (o *Operation) Stopped() bool { return o.SupersededBy != "" || o.Changed != "" || o.Cancelled }

// Process is an instance that was started. A pid alone proves nothing: it may
// have been given to another process since.
type Process struct {
	Instance string `json:"instance"`
	PID      int    `json:"pid"`
	Start    string `json:"start"`
}

// Tombstone says that nothing runs and nothing is under way.
func (s *State) Tombstone() bool {
	return s.Serving == nil && s.Active == ""
}

// Operation returns the operation of that id, or nil.
func (s *State) Operation(id string) *Operation {
	for i := range s.Operations {
		if s.Operations[i].ID == id {
			return &s.Operations[i]
		}
	}
	return nil
}

// AddOperation appends op and forgets the oldest beyond MaxOperations.
func (s *State) AddOperation(op Operation) {
	s.Operations = append(s.Operations, op)
	if extra := len(s.Operations) - MaxOperations; extra > 0 {
		s.Operations = append([]Operation(nil), s.Operations[extra:]...)
	}
}

// trimEvidence drops the log lines of all but the newest failures, so that the
// file stays small enough to be written often.
func (s *State) trimEvidence() {
	kept := 0
	for i := len(s.Operations) - 1; i >= 0; i-- {
		outcome := s.Operations[i].Outcome
		if outcome == nil || outcome.Failure == nil || len(outcome.Failure.Logs) == 0 {
			continue
		}
		if kept++; kept > maxEvidence {
			trimmed, failure := *outcome, *outcome.Failure // others may be reading the whole one
			failure.Logs = nil
			trimmed.Failure = &failure
			s.Operations[i].Outcome = &trimmed
		}
	}
}
