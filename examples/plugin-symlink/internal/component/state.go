package component

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"example.com/apm-plugin-symlink/internal/tree"
)

const (
	stateFile = "state.json"
	// format is what Save writes. Load reads it, and will read the one before.
	format = 1
	// maxOperations is how many operations are remembered.
	maxOperations = 50
)

// ErrNewer is matched where the state was written by a newer plugin.
var ErrNewer = errors.New("written by a newer plugin: use that one")

// State is all that is stamped on a component. It stays when the component is
// removed: the epoch outlives it.
type State struct {
	Format       int          `json:"format"`
	Installation string       `json:"installation"`
	Application  string       `json:"application"`
	Environment  string       `json:"environment"`
	Component    string       `json:"component"`
	Epoch        uint64       `json:"epoch"` // the highest seen
	Serving      *Serving     `json:"serving,omitempty"`
	Operations   []*Operation `json:"operations"` // newest last
}

// Serving is what we made current, and on whose behalf.
type Serving struct {
	Operation  string    `json:"operation"`
	Deployment string    `json:"deployment"`
	Rollback   bool      `json:"rollback"`
	Version    string    `json:"version"`
	Digest     string    `json:"digest"`
	Replaced   string    `json:"replaced"` // the digest observed before
	Since      time.Time `json:"since"`
}

// Operation is the trace of one operation. Where it goes on after a crash is read
// from its steps.
type Operation struct {
	ID         string    `json:"id"`
	Deployment string    `json:"deployment"`
	Rollback   bool      `json:"rollback"`
	Digest     string    `json:"digest"` // of the request
	Epoch      uint64    `json:"epoch"`
	Staged     bool      `json:"staged"`
	Version    string    `json:"version"`
	Goal       *Goal     `json:"goal,omitempty"` // none: remove
	Before     string    `json:"before"`         // the digest observed when it was accepted
	Started    time.Time `json:"started"`
	Promoted   bool      `json:"promoted"`
	Steps      []Step    `json:"steps"`
	Outcome    *Outcome  `json:"outcome,omitempty"`
}

// Goal is what an operation makes current.
type Goal struct {
	Digest string `json:"digest"`
	Link   string `json:"link,omitempty"` // releases/NAME once it is there; or the absolute path of what was never ours
	Files  int    `json:"files"`
}

// The steps of an operation, in this order. Each is written down once it is done.
const (
	Copied    = "copied"    // the files are in place
	Candidate = "candidate" // and wait for Promote
	Ended     = "ended"
)

// Step is one that was reached.
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
	Result      string `json:"result"`
	Message     string `json:"message"`
	Code        string `json:"code,omitempty"` // why it failed
	Environment bool   `json:"environment,omitempty"`
	By          string `json:"by,omitempty"` // who superseded it
}

// Reached says whether the operation has done a step.
func (o *Operation) Reached(name string) bool {
	for _, step := range o.Steps {
		if step.Name == name {
			return true
		}
	}
	return false
}

// Reach writes a step down.
func (o *Operation) Reach(name string) {
	o.Steps = append(o.Steps, Step{Name: name, At: time.Now().UTC()})
}

// End writes down how the operation ended.
func (o *Operation) End(outcome Outcome) {
	o.Outcome = &outcome
	o.Reach(Ended)
}

// Waits says whether the operation has a candidate that waits for Promote.
func (o *Operation) Waits() bool {
	return o.Outcome == nil && o.Reached(Candidate) && !o.Promoted
}

// Operation returns the one of that id, or nil.
func (s *State) Operation(id string) *Operation {
	for _, o := range s.Operations {
		if o.ID == id {
			return o
		}
	}
	return nil
}

// Active returns the operation under way, or nil.
func (s *State) Active() *Operation {
	if n := len(s.Operations); n > 0 && s.Operations[n-1].Outcome == nil {
		return s.Operations[n-1]
	}
	return nil
}

// Add makes an operation the newest.
func (s *State) Add(o *Operation) {
	s.Operations = append(s.Operations, o)
	if extra := len(s.Operations) - maxOperations; extra > 0 {
		s.Operations = s.Operations[extra:]
	}
}

// Load reads the stamps. Where there are none it returns a State with Format 0.
func (d Dir) Load() (*State, error) {
	s := &State{}
	text, err := os.ReadFile(d.own(stateFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return nil, fmt.Errorf("read state: %w", err)
	}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read state %q: %w", d.own(stateFile), err)
	}
	if s.Format > format {
		return nil, fmt.Errorf("state %q has format %d: %w", d.own(stateFile), s.Format, ErrNewer)
	}
	return s, nil
}

// Save writes the stamps. The lock must be held.
func (d Dir) Save(s *State) error {
	s.Format = format
	text, err := json.MarshalIndent(s, "", " ")
	if err == nil {
		err = tree.Replace(d.own(stateFile), text)
	}
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}
