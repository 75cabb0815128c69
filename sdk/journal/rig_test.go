package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/journal"
)

// goal is what operations of the tests bring about: a text on a board.
type goal struct {
	Text string `json:"text"`
}

type (
	record    = journal.Record[goal]
	operation = journal.Operation[goal]
	work      = journal.Work[goal]
)

const resource = "board"

// rig is a book with the journal of one component, and what its Drive does.
type rig struct {
	*testing.T
	*journal.Journal[goal]
	book   *journal.Book[goal]
	dir    string
	target sdk.Target

	mu    sync.Mutex
	drive func(ctx context.Context, w *work) error
	wrote []string // what was put on the board, by operation
}

// newRig is the first process at a component, next the one after it.
func newRig(t *testing.T) *rig {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "shop", "test", "web", ".apm"))
}

func (r *rig) next() *rig {
	r.Helper()
	return open(r.T, r.dir)
}

func open(t *testing.T, dir string) *rig {
	t.Helper()
	r := &rig{T: t, dir: dir, target: sdk.Target{Application: "shop", Environment: "test", Component: "web"}}
	r.drive = r.put
	r.book = journal.New(journal.Config[goal]{
		Log:      slog.New(slog.DiscardHandler),
		Drive:    func(ctx context.Context, w *work) error { return r.does()(ctx, w) },
		State:    func(o *operation) *sdk.State { return &sdk.State{Phase: sdk.PhaseProgressing, Message: o.Version} },
		Resource: resource,
	})
	r.Journal = r.book.At(dir, "here", r.target)
	t.Cleanup(r.close)
	return r
}

func (r *rig) does() func(context.Context, *work) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.drive
}

// drives makes it do something else.
func (r *rig) drives(drive func(context.Context, *work) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drive = drive
}

func (r *rig) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.book.Close(ctx); err != nil {
		r.Errorf("Close: %v", err)
	}
}

// put is what Drive does as a rule: a line, a step, the candidate if there is one, and
// the text.
func (r *rig) put(ctx context.Context, w *work) error {
	if o, err := w.Operation(); err != nil || o.Goal == nil {
		return errors.Join(err, w.Do(ctx, r.remove))
	}
	err := w.Do(ctx, func(_ *record, o *operation) error {
		if o.Reached("drawn") {
			return nil
		}
		o.Reach("drawn")
		return w.Printf("draw %s", o.Goal.Text)
	})
	for waits := true; err == nil && waits; {
		err = w.Do(ctx, func(s *record, o *operation) error {
			switch {
			case !o.Staged || o.Promoted:
				return r.settle(s, o)
			case !o.Reached(journal.Candidate):
				o.Addresses = map[string]string{"http": "127.0.0.1:1"}
				o.Reach(journal.Candidate)
			}
			waits = o.Waits()
			return nil
		})
		if err == nil && waits {
			_, err = w.Pause(ctx, time.Minute)
		}
	}
	return err
}

func (r *rig) settle(s *record, o *operation) error {
	s.Serve(o, o.Goal.Text)
	if err := s.Save(); err != nil {
		return err
	}
	r.mu.Lock()
	r.wrote = append(r.wrote, o.ID+" "+o.Goal.Text)
	r.mu.Unlock()
	o.End(journal.Outcome{Result: journal.Succeeded, Message: "it is " + o.Goal.Text, Outputs: map[string]string{"text": o.Goal.Text}})
	return nil
}

func (r *rig) remove(s *record, o *operation) error {
	s.Serving = nil
	o.End(journal.Outcome{Result: journal.Succeeded, Message: "removed"})
	return nil
}

func (r *rig) effects() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprint(r.wrote)
}

// ctx bounds what a test waits for.
func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	r.Cleanup(cancel)
	return ctx
}

func op(id string, epoch uint64) sdk.Operation {
	return sdk.Operation{ID: id, DeploymentID: "d-" + id, Kind: sdk.OperationDeploy, RequestDigest: "digest of " + id, Epoch: epoch}
}

func staged(o sdk.Operation) sdk.Operation {
	o.Staged = true
	return o
}

func (r *rig) try(o sdk.Operation, text string) error {
	entry := journal.Entry[goal]{Version: "v-" + text, Revision: "r-" + text, Retain: []string{"kept by " + text}}
	if text != "" {
		entry.Goal = &goal{text}
	}
	handle, err := r.Accept(r.ctx(), o, entry, func(s *record) (string, error) {
		if s.Serving == nil {
			return "nothing", nil
		}
		return s.Serving.Digest, nil
	})
	if err == nil && string(handle.State) != o.ID {
		r.Errorf("handle %+v of %s", handle, o.ID)
	}
	return err
}

func (r *rig) accept(o sdk.Operation, text string) {
	r.Helper()
	if err := r.try(o, text); err != nil {
		r.Fatalf("Accept %s: %v", o.ID, err)
	}
}

// watch returns what Watch sends until its end, or until an event is the last wanted.
func (r *rig) watch(id string, token []byte, last func(sdk.Event) bool) []sdk.Event {
	r.Helper()
	var all []sdk.Event
	enough := errors.New("enough")
	err := r.Watch(r.ctx(), sdk.WatchRequest{Target: r.target, Operation: sdk.Operation{ID: id}, ResumeToken: token}, func(events ...sdk.Event) error {
		all = append(all, events...)
		if last != nil && last(events[len(events)-1]) {
			return enough
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		r.Fatalf("Watch %s: %v", id, err)
	}
	return all
}

func (r *rig) outcome(id string) *sdk.Outcome {
	r.Helper()
	all := r.watch(id, nil, nil)
	return all[len(all)-1].Outcome
}

func (r *rig) ends(id string, want sdk.Result) *sdk.Outcome {
	r.Helper()
	got := r.outcome(id)
	if got.Result != want {
		r.Fatalf("outcome of %s: %+v, want %d", id, got, want)
	}
	return got
}

func isCandidate(e sdk.Event) bool {
	return e.Candidate != nil || e.State != nil && e.State.Candidate != nil
}

func (r *rig) refused(what string, err error, reason sdk.Reason) {
	r.Helper()
	if sdk.ReasonOf(err) != reason {
		r.Errorf("%s: want %s, got %v", what, reason, err)
	}
}
