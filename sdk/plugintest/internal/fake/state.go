package fake

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/apm-deploy/apm/sdk"
)

const (
	liveFile      = "live"
	candidateFile = "candidate"
	stateFile     = "state.json"
	handleVersion = 2
)

// state is what is stamped on a component.
type state struct {
	Installation string
	Target       sdk.Target
	Epoch        uint64
	Last         string // operation
	Operations   map[string]*operation
}

// operation is the trace of one operation on the platform. What it did is its
// events; where it goes on is read from them.
type operation struct {
	sdk.Operation
	Want    *content // nil: remove
	Events  []event
	Percent int
}

// event is a stored event of Watch.
type event struct {
	Resource  *sdk.Resource  `json:",omitempty"`
	Lines     int            `json:",omitempty"`
	Candidate *sdk.Candidate `json:",omitempty"`
	Outcome   *sdk.Outcome   `json:",omitempty"`
}

func (o *operation) outcome() *sdk.Outcome {
	if len(o.Events) == 0 {
		return nil
	}
	return o.Events[len(o.Events)-1].Outcome
}

// candidate says whether one waits for Promote.
func (o *operation) candidate() *sdk.Candidate {
	for i := len(o.Events) - 1; i >= 0; i-- {
		if o.Events[i].Outcome != nil {
			return nil
		}
		if o.Events[i].Candidate != nil {
			return o.Events[i].Candidate
		}
	}
	return nil
}

func (p *platform) path(t sdk.Target, name string) string {
	return filepath.Join(p.config.Root, t.Application, t.Environment, t.Component, name)
}

func (p *platform) live(t sdk.Target) (content, bool, error) {
	var c content
	found, err := read(p.path(t, liveFile), &c)
	return c, found, err
}

func readState(path string) (*state, error) {
	s := &state{Operations: map[string]*operation{}}
	_, err := read(path, s)
	return s, err
}

func (p *platform) state(t sdk.Target) (*state, error) { return readState(p.path(t, stateFile)) }

// save writes the state and wakes those who watch.
func (p *platform) save(t sdk.Target, s *state) error {
	if err := write(p.path(t, stateFile), s); err != nil {
		return err
	}
	close(p.changed)
	p.changed = make(chan struct{})
	return nil
}

func read(path string, into any) (found bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, json.Unmarshal(text, into)
}

// write replaces the file in one step: a kill leaves the old or the new one.
func write(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func handleOf(id string) sdk.Handle { return sdk.Handle{Version: handleVersion, State: []byte(id)} }

// OldHandle is what version 1 made of a handle.
func OldHandle(h sdk.Handle) sdk.Handle {
	return sdk.Handle{Version: 1, State: []byte("operation:" + string(h.State))}
}

// operationOf reads handles of this version and of the one before.
func operationOf(h sdk.Handle) (id string, err error) {
	switch {
	case h.IsZero():
		return "", nil
	case h.Version == handleVersion:
		return string(h.State), nil
	case h.Version == 1:
		return strings.TrimPrefix(string(h.State), "operation:"), nil
	default:
		return "", sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonUnspecified, "handle of version %d is from a newer plugin", h.Version)
	}
}

// ChangeLive changes what runs behind the plugin's back.
func ChangeLive(root string, t sdk.Target) error {
	path := filepath.Join(root, t.Application, t.Environment, t.Component, liveFile)
	var c content
	if _, err := read(path, &c); err != nil {
		return err
	}
	c.Text += " changed by somebody"
	return write(path, c)
}

// Serves returns the text that runs at an address.
func Serves(path string) (string, error) {
	var c content
	if _, err := read(path, &c); err != nil {
		return "", err
	}
	return c.Text, nil
}
