package journal

import (
	"time"

	"github.com/apm-deploy/apm/sdk"
)

const (
	// format is what is written. It is read, and so will be the one before.
	format = 1
	// maxOperations is how many operations are remembered.
	maxOperations = 50
)

// Record is all that is written down of a component. It stays when the component is
// removed: the epoch outlives it. G is what an operation of the plugin brings about;
// it is kept as JSON.
type Record[G any] struct {
	Format       int             `json:"format"` // 0: nothing was ever written
	Installation string          `json:"installation"`
	Application  string          `json:"application"`
	Environment  string          `json:"environment"`
	Component    string          `json:"component"`
	Epoch        uint64          `json:"epoch"`            // the highest seen
	Retain       []string        `json:"retain,omitempty"` // of the last Deploy or Rollback: see sdk.DeployRequest
	Serving      *Serving        `json:"serving,omitempty"`
	Operations   []*Operation[G] `json:"operations"` // newest last

	save func() error
}

// Serving is what the plugin made run, and on whose behalf.
type Serving struct {
	Operation  string    `json:"operation"`
	Deployment string    `json:"deployment"`
	Rollback   bool      `json:"rollback"`
	Version    string    `json:"version"`
	Digest     string    `json:"digest"`   // observed when it runs as it was deployed
	Replaced   string    `json:"replaced"` // observed before
	Since      time.Time `json:"since"`
}

// Operation is the trace of one operation. Where it goes on after a crash is read
// from its steps.
type Operation[G any] struct {
	ID         string            `json:"id"`
	Deployment string            `json:"deployment"`
	Rollback   bool              `json:"rollback"`
	Digest     string            `json:"digest"` // of the request
	Epoch      uint64            `json:"epoch"`
	Staged     bool              `json:"staged"`
	Version    string            `json:"version"`
	Revision   string            `json:"revision,omitempty"` // of the goal, for people
	Goal       *G                `json:"goal,omitempty"`     // nil: remove
	Before     string            `json:"before"`             // the digest observed when it was accepted
	Started    time.Time         `json:"started"`
	Promoted   bool              `json:"promoted"`
	Addresses  map[string]string `json:"addresses,omitempty"` // of the candidate, if it has any
	Steps      []Step            `json:"steps"`
	Outcome    *Outcome          `json:"outcome,omitempty"`
}

// The steps that every operation may have; a plugin has others besides.
const (
	Candidate = "candidate" // it is up, and waits for Promote
	ended     = "ended"
)

// Step is one that was taken.
type Step struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

// The results of an operation.
const (
	Succeeded  = "succeeded"
	Failed     = "failed"
	Cancelled  = "cancelled"
	Superseded = "superseded"
)

// Outcome is how an operation ended.
type Outcome struct {
	Result      string            `json:"result"`
	Message     string            `json:"message"`
	By          string            `json:"by,omitempty"` // who superseded it
	Addresses   map[string]string `json:"addresses,omitempty"`
	Outputs     map[string]string `json:"outputs,omitempty"`
	Code        string            `json:"code,omitempty"` // why it failed
	Suggestion  string            `json:"suggestion,omitempty"`
	Environment bool              `json:"environment,omitempty"`
}

// Reached says whether the operation has taken a step.
func (o *Operation[G]) Reached(name string) bool {
	for _, step := range o.Steps {
		if step.Name == name {
			return true
		}
	}
	return false
}

// Reach writes a step down. Watch tells it, as the resources of [Config.State], or as
// the candidate.
func (o *Operation[G]) Reach(name string) {
	o.Steps = append(o.Steps, Step{Name: name, At: time.Now().UTC()})
}

// End writes down how the operation ended.
func (o *Operation[G]) End(outcome Outcome) {
	o.Outcome = &outcome
	o.Reach(ended)
}

// Waits says whether the operation has a candidate that waits for Promote.
func (o *Operation[G]) Waits() bool {
	return o.Outcome == nil && o.Reached(Candidate) && !o.Promoted
}

// Serve writes down that the goal of an operation is about to run, whose observed
// digest is the one given: somebody else's change is what differs from it.
func (r *Record[G]) Serve(o *Operation[G], digest string) {
	r.Serving = &Serving{
		Operation: o.ID, Deployment: o.Deployment, Rollback: o.Rollback, Version: o.Version,
		Digest: digest, Replaced: o.Before, Since: time.Now().UTC(),
	}
}

// Save writes what was changed so far, for a step that must be known before the next
// one begins. It is for the record that [Work.Do] hands over.
func (r *Record[G]) Save() error { return r.save() }

// Operation returns the one of that id, or nil.
func (r *Record[G]) Operation(id string) *Operation[G] {
	for _, o := range r.Operations {
		if o.ID == id {
			return o
		}
	}
	return nil
}

// Active returns the operation under way, or nil.
func (r *Record[G]) Active() *Operation[G] {
	if n := len(r.Operations); n > 0 && r.Operations[n-1].Outcome == nil {
		return r.Operations[n-1]
	}
	return nil
}

func (r *Record[G]) add(o *Operation[G]) {
	r.Operations = append(r.Operations, o)
	if extra := len(r.Operations) - maxOperations; extra > 0 {
		r.Operations = r.Operations[extra:]
	}
}

// admit refuses what the contract has refused, raises the epoch, and returns the
// operation where it is known.
func (r *Record[G]) admit(o sdk.Operation) (*Operation[G], error) {
	stamped, known := sdk.Stamp{Epoch: r.Epoch}, r.Operation(o.ID)
	if known != nil {
		stamped.ID, stamped.RequestDigest = known.ID, known.Digest
	}
	if _, err := sdk.Admit(stamped, o); err != nil {
		return nil, err
	}
	r.Epoch = o.Epoch
	if known != nil {
		known.Epoch = o.Epoch
	}
	return known, nil
}
