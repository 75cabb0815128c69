package record

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

const (
	// format is what is written. It is read, and so will be the one before.
	format = 1
	// maxOperations is how many operations are remembered; fewer where they would not
	// fit into a Secret.
	maxOperations = 50
)

// Record is all that is written down of a component.
type Record struct {
	Format       int          `json:"format"` // 0: nothing was ever written
	Installation string       `json:"installation"`
	Application  string       `json:"application"`
	Environment  string       `json:"environment"`
	Component    string       `json:"component"`
	Epoch        uint64       `json:"epoch"`            // the highest seen
	Retain       []string     `json:"retain,omitempty"` // of the last Deploy or Rollback: see sdk.DeployRequest
	Serving      *Serving     `json:"serving,omitempty"`
	Operations   []*Operation `json:"operations"` // newest last
}

// Serving is what the plugin made run, and on whose behalf.
type Serving struct {
	Operation  string          `json:"operation"`
	Deployment string          `json:"deployment"`
	Rollback   bool            `json:"rollback,omitempty"`
	Version    string          `json:"version"`
	Revision   string          `json:"revision,omitempty"`
	Subject    string          `json:"subject,omitempty"`
	Goal       *Goal           `json:"goal,omitempty"` // read it with [Journal.Content]
	Notes      json.RawMessage `json:"notes,omitempty"`
	Digest     string          `json:"digest"`   // observed when it runs as it was deployed
	Replaced   string          `json:"replaced"` // observed before
	Since      time.Time       `json:"since"`
}

// Goal refers to what an operation is to bring about.
type Goal struct {
	Digest string `json:"digest"` // SHA-256 of the content, in hex
	Size   int    `json:"size"`   // of the content, in bytes
	Parts  int    `json:"parts"`  // Secrets of its own; 0: beside the record
}

// Operation is the trace of one operation. Where it goes on after a crash is read
// from its steps and notes.
type Operation struct {
	ID         string `json:"id"`
	Deployment string `json:"deployment"`
	Rollback   bool   `json:"rollback,omitempty"`
	Digest     string `json:"digest"` // of the request
	Epoch      uint64 `json:"epoch"`
	Driver     string `json:"driver"` // the process that drives it
	Staged     bool   `json:"staged,omitempty"`
	Version    string `json:"version"`
	Revision   string `json:"revision,omitempty"` // of the goal, for people
	Subject    string `json:"subject,omitempty"`  // the resource that lines and failures without one are of
	Goal       *Goal  `json:"goal,omitempty"`     // nil: remove; read it with [Journal.Content]
	// Before is the digest observed when it was accepted.
	Before  string    `json:"before"`
	Started time.Time `json:"started"`
	// Notes are what the driver wrote down for itself: see [Operation.Note].
	Notes json.RawMessage `json:"notes,omitempty"`
	// Promoted: Promote came for its candidate. Cancelling: Cancel came, and left its
	// end to the driver.
	Promoted   bool              `json:"promoted,omitempty"`
	Cancelling bool              `json:"cancelling,omitempty"`
	Addresses  map[string]string `json:"addresses,omitempty"` // of the candidate, if it has any
	Steps      []Step            `json:"steps"`
	Outcome    *Outcome          `json:"outcome,omitempty"`
}

// The steps that every operation may have; a driver has others besides.
const (
	Candidate = "candidate" // it is up, and waits for Promote
	end       = "ended"
)

// Step is one that was taken.
type Step struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

// Reached says whether the operation has taken a step.
func (o *Operation) Reached(name string) bool {
	for _, step := range o.Steps {
		if step.Name == name {
			return true
		}
	}
	return false
}

// Reach writes a step down, once. Watch tells it by a State, or as the candidate.
func (o *Operation) Reach(name string) {
	if !o.Reached(name) {
		o.Steps = append(o.Steps, Step{Name: name, At: time.Now().UTC()})
	}
}

// End writes down how the operation ended. One that has ended stays as it is.
func (o *Operation) End(outcome sdk.Outcome) {
	if o.Outcome == nil {
		o.Outcome = newOutcome(outcome)
		o.Reach(end)
	}
}

// Note writes down what the driver must know after a crash besides the steps: it
// replaces what was noted before. Keep it small, some KiB.
func (o *Operation) Note(notes any) error {
	text, err := json.Marshal(notes)
	if err != nil {
		return fmt.Errorf("note down for operation %q: %w", o.ID, err)
	}
	o.Notes = text
	return nil
}

// Noted reads what was noted into to; where nothing was, that stays as it is.
func (o *Operation) Noted(to any) error { return noted(o.ID, o.Notes, to) }

// Noted reads what the operation that made this run had noted.
func (s *Serving) Noted(to any) error { return noted(s.Operation, s.Notes, to) }

func noted(id string, notes json.RawMessage, to any) error {
	if len(notes) == 0 {
		return nil
	}
	if err := json.Unmarshal(notes, to); err != nil {
		return fmt.Errorf("read what operation %q had noted: %w", id, err)
	}
	return nil
}

// Waits says whether the operation has a candidate that waits for Promote.
func (o *Operation) Waits() bool { return o.Outcome == nil && o.Reached(Candidate) && !o.Promoted }

// Serve writes down that the goal of an operation is about to run, whose observed
// digest is the one given: somebody else's change is what differs from it. Call it again
// when the digest is known better.
func (r *Record) Serve(o *Operation, digest string) {
	since := time.Now().UTC()
	if r.Serving != nil && r.Serving.Operation == o.ID {
		since = r.Serving.Since
	}
	r.Serving = &Serving{
		Operation: o.ID, Deployment: o.Deployment, Rollback: o.Rollback, Version: o.Version, Revision: o.Revision, Subject: o.Subject,
		Goal: o.Goal, Notes: o.Notes, Digest: digest, Replaced: o.Before, Since: since,
	}
}

// Operation returns the one of that id, or nil.
func (r *Record) Operation(id string) *Operation {
	for _, o := range r.Operations {
		if o.ID == id {
			return o
		}
	}
	return nil
}

// Active returns the operation under way, or nil.
func (r *Record) Active() *Operation {
	if n := len(r.Operations); n > 0 && r.Operations[n-1].Outcome == nil {
		return r.Operations[n-1]
	}
	return nil
}

func (r *Record) add(o *Operation) {
	r.Operations = append(r.Operations, o)
	if extra := len(r.Operations) - maxOperations; extra > 0 {
		r.Operations = r.Operations[extra:]
	}
}

// admit refuses what the contract has refused, raises the epoch, and returns the
// operation where it is known.
func (r *Record) admit(o sdk.Operation) (*Operation, error) {
	stamped, known := sdk.Stamp{Epoch: r.Epoch}, r.Operation(o.ID)
	if known != nil {
		stamped.ID, stamped.RequestDigest = known.ID, known.Digest
	}
	if _, err := sdk.Admit(stamped, o); err != nil {
		return nil, err
	}
	r.Epoch = o.Epoch
	return known, nil
}
