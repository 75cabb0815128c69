package fake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

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
	// Accepted is when it was.
	Accepted time.Time
	// Before is the digest of what ran then: while it is another, somebody else was
	// here.
	Before string
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

func (p *platform) path(t sdk.Target, names ...string) string {
	return componentFile(p.config.Root, t, names...)
}

// live is what runs, and what made it so. It is one file, so that the two cannot
// differ after a kill.
type live struct {
	Content *content // nil: nothing
	Effects []string // the operation of each change, in order
	Percent int      // of the requests, of a candidate
}

func (p *platform) live(t sdk.Target) (content, bool, error) { return p.look(t, liveFile) }

func (p *platform) look(t sdk.Target, file string) (content, bool, error) {
	var l live
	if _, err := read(p.path(t, file), &l); err != nil || l.Content == nil {
		return content{}, false, err
	}
	return *l.Content, true, nil
}

// effect makes a content (nil: nothing) what runs, once: an operation that finds
// itself as the last that did something was killed before it could say so.
func (p *platform) effect(t sdk.Target, id string, want *content) error {
	var l live
	if _, err := read(p.path(t, liveFile), &l); err != nil {
		return err
	}
	if n := len(l.Effects); n > 0 && l.Effects[n-1] == id {
		return nil
	}
	return write(p.path(t, liveFile), live{Content: want, Effects: append(l.Effects, id)})
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
func (p *platform) operationOf(h sdk.Handle) (id string, err error) {
	switch {
	case h.IsZero():
		return "", nil
	case h.Version == handleVersion:
		return string(h.State), nil
	case h.Version == 1 && !p.breaks("newest"):
		return strings.TrimPrefix(string(h.State), "operation:"), nil
	default:
		return "", sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonUnspecified, "handle of version %d is not of this plugin", h.Version)
	}
}

func componentFile(root string, t sdk.Target, names ...string) string {
	return filepath.Join(append([]string{root, t.Application, t.Environment, t.Component}, names...)...)
}

// ChangeLive changes what runs behind the plugin's back.
func ChangeLive(root string, t sdk.Target) error {
	path := componentFile(root, t, liveFile)
	var l live
	if _, err := read(path, &l); err != nil {
		return err
	}
	if l.Content == nil {
		return fmt.Errorf("change what runs in %q: nothing does", filepath.Dir(path))
	}
	l.Content.Text += " changed by somebody"
	return write(path, l)
}

// Serves returns the text that answers at an address: that of the candidate, or of
// what is live, where a candidate answers its share of the requests.
func Serves(path string) (string, error) {
	if filepath.Base(path) == liveFile {
		var candidate live
		beside := filepath.Join(filepath.Dir(path), candidateFile)
		if _, err := read(beside, &candidate); err == nil && rand.IntN(100) < candidate.Percent { //nolint:gosec // no secret
			path = beside
		}
	}
	return textOf(path)
}

func textOf(path string) (string, error) {
	var l live
	if _, err := read(path, &l); err != nil || l.Content == nil {
		return "", err
	}
	return l.Content.Text, nil
}

// Runs returns the text that runs in a component, "" where nothing does.
func Runs(root string, t sdk.Target) (string, error) { return textOf(componentFile(root, t, liveFile)) }

// Effects returns the operation id of every change that was made to what runs in
// a component, in order. An id that stands twice had two effects.
func Effects(root string, t sdk.Target) ([]string, error) {
	var l live
	_, err := read(componentFile(root, t, liveFile), &l)
	return l.Effects, err
}
