package recordtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
	"github.com/apm-deploy/apm/sdk"
)

// patience is how long something may take on a busy machine.
const patience = 90 * time.Second

const subject = "apps/v1 Deployment shop/web"

var identity = cluster.Identity{Installation: "here", Application: "shop", Environment: "test", Component: "web"}

// rig is a process at a component, and what its Drive does.
type rig struct {
	*testing.T
	*record.Journal
	line      *line
	cluster   *cluster.Cluster
	book      *record.Book
	config    *rest.Config
	namespace string

	mu    sync.Mutex
	drive func(ctx context.Context, w *record.Work) error
}

// newRig is the first process at a component, next another one.
func newRig(t *testing.T, place Place) *rig {
	t.Helper()
	return open(t, place.Config, place.Namespace(t))
}

func (r *rig) next() *rig {
	r.Helper()
	return open(r.T, r.config, r.namespace)
}

func open(t *testing.T, config *rest.Config, namespace string) *rig {
	t.Helper()
	r := &rig{T: t, line: &line{}, config: config, namespace: namespace}
	r.drive = r.put
	wrapped := rest.CopyConfig(config)
	wrapped.Wrap(func(next http.RoundTripper) http.RoundTripper { r.line.next = next; return r.line })
	var err error
	if r.cluster, err = cluster.New(wrapped, cluster.Options{}); err != nil {
		t.Fatal(err)
	}
	r.book = record.New(record.Config{
		Log:     slog.New(slog.DiscardHandler),
		Cluster: r.cluster,
		Drive:   func(ctx context.Context, w *record.Work) error { return r.does()(ctx, w) },
		State: func(o *record.Operation) *sdk.State {
			return &sdk.State{Phase: sdk.PhaseProgressing, Message: fmt.Sprintf("%s, %d steps", o.Version, len(o.Steps))}
		},
	})
	r.Journal = r.book.At(namespace, identity)
	t.Cleanup(r.close)
	return r
}

func (r *rig) does() func(context.Context, *record.Work) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.drive
}

// drives makes it do something else.
func (r *rig) drives(drive func(context.Context, *record.Work) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drive = drive
}

func (r *rig) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := r.book.Close(ctx); err != nil {
		r.Errorf("Close: %v", err)
	}
}

// put is what Drive does as a rule: a line, a step, the candidate if there is one, and
// the effect.
func (r *rig) put(ctx context.Context, w *record.Work) error {
	o, err := w.Operation(ctx)
	if err != nil {
		return err
	}
	if !o.Reached("drawn") {
		w.Printf("draw %s", o.Version)
		if err := w.Reach(ctx, "drawn"); err != nil {
			return err
		}
	}
	if o.Staged && !o.Promoted {
		return w.Do(ctx, func(_ *record.Record, o *record.Operation) error {
			o.Addresses = map[string]string{"http": "127.0.0.1:1"}
			o.Reach(record.Candidate)
			return nil
		})
	}
	return r.finish(ctx, w, o)
}

func (r *rig) finish(ctx context.Context, w *record.Work, o *record.Operation) error {
	if !o.Reached("made") {
		if err := r.effect(ctx, o.ID); err != nil {
			return err
		}
		if err := w.Reach(ctx, "made"); err != nil {
			return err
		}
	}
	return w.Do(ctx, func(s *record.Record, o *record.Operation) error {
		if o.Goal == nil {
			s.Serving = nil
		} else {
			s.Serve(o, "digest of "+o.Version)
		}
		o.End(sdk.Outcome{Result: sdk.ResultSucceeded, Message: "it is " + o.Version, Outputs: map[string]string{"text": o.Version}})
		return nil
	})
}

const effectLabel = "effect-of"

// effect leaves something on the cluster that can be counted.
func (r *rig) effect(ctx context.Context, operation string) error {
	_, err := r.cluster.Typed().CoreV1().Secrets(r.namespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "effect-", Labels: map[string]string{effectLabel: operation}},
	}, metav1.CreateOptions{})
	return cluster.Answer(cluster.Call{Verb: "create", Resource: "secrets", Namespace: r.namespace}, err)
}

func (r *rig) effects(operation string) int {
	r.Helper()
	return len(r.secrets(effectLabel + "=" + operation))
}

func (r *rig) secrets(selector string) []corev1.Secret {
	r.Helper()
	list, err := r.cluster.Typed().CoreV1().Secrets(r.namespace).List(r.ctx(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		r.Fatal(err)
	}
	return list.Items
}

// ctx bounds what a test waits for.
func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
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

func back(o sdk.Operation) sdk.Operation {
	o.Kind = sdk.OperationRollback
	return o
}

func (r *rig) try(o sdk.Operation, text string) error {
	entry := record.Entry{Version: "v-" + text, Revision: "r-" + text, Subject: subject, Retain: []string{"kept by " + text}}
	if text != "" {
		entry.Goal = []byte(text)
	}
	return r.enter(o, entry)
}

func (r *rig) enter(o sdk.Operation, entry record.Entry) error {
	handle, err := r.Accept(r.ctx(), o, entry, func(_ context.Context, s *record.Record) (string, error) {
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
	err := r.Watch(r.ctx(), sdk.WatchRequest{Operation: sdk.Operation{ID: id}, ResumeToken: token}, func(events ...sdk.Event) error {
		for _, e := range events {
			all = append(all, e.Clone())
		}
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

func (r *rig) ends(id string, want sdk.Result) *sdk.Outcome {
	r.Helper()
	all := r.watch(id, nil, nil)
	got := all[len(all)-1].Outcome
	if got == nil || got.Result != want {
		r.Fatalf("outcome of %s: %+v, want %d", id, got, want)
	}
	return got
}

func (r *rig) read() *record.Record {
	r.Helper()
	s, err := r.Read(r.ctx())
	if err != nil {
		r.Fatal(err)
	}
	return s
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

func nothing(context.Context) (string, error) { return "", nil }

// line is the connection of a process, which can break.
type line struct {
	next http.RoundTripper

	mu     sync.Mutex
	before func(*http.Request) error // an error: the request is not sent
	after  func(*http.Request) error // an error: the answer is lost
}

// breaks has requests fail, or answers lost; nil heals.
func (l *line) breaks(before, after func(*http.Request) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before, l.after = before, after
}

// RoundTrip sends a request, unless something is broken.
func (l *line) RoundTrip(request *http.Request) (*http.Response, error) {
	l.mu.Lock()
	before, after := l.before, l.after
	l.mu.Unlock()
	if before != nil {
		if err := before(request); err != nil {
			return nil, err
		}
	}
	response, err := l.next.RoundTrip(request)
	if err == nil && after != nil {
		if lost := after(request); lost != nil {
			_ = response.Body.Close()
			return nil, lost
		}
	}
	return response, err
}

var errDown = fmt.Errorf("dial tcp: %w", syscall.ECONNREFUSED)
