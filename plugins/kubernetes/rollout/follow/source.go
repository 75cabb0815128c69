package follow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// place is where a source reads: one kind in one namespace.
type place struct{ apiVersion, kind, namespace string }

// A source is the one watch of a place, and what it has read.
type source struct {
	follower *Follower
	place    place
	kind     *kind // nil: not built in
	shelf    *shelf
	cancel   context.CancelFunc

	mu       sync.Mutex
	resource string // plural, for people
	synced   bool
	streamed bool          // the list that is under way comes as a watch
	failure  string        // of the last request
	settled  chan struct{} // closed when it is synced or has failed once

	// Guarded by the follower's mutex.
	users  map[*Following]struct{}
	linger *time.Timer
}

// The pace at which a source tries again what has failed.
const (
	again  = 200 * time.Millisecond
	atMost = 5 * time.Second
)

// listPatience bounds one list; nothing else does when a connection is dead.
const listPatience = time.Minute

// run reads until ctx ends.
func (s *source) run(ctx context.Context) {
	ctx = klog.NewContext(ctx, logr.FromSlogHandler(s.follower.log.With("kind", s.place.kind, "namespace", s.place.namespace).Handler()))
	reads, ok := s.reads(ctx)
	if !ok {
		return
	}
	reflector := cache.NewReflectorWithOptions(&counted{listing: reads, source: s}, nil, s, cache.ReflectorOptions{
		Name: "follow", TypeDescription: s.place.kind,
		Backoff: &wait.Backoff{Duration: again, Cap: atMost, Factor: 2, Jitter: 0.5, Steps: 10},
	})
	reflector.RunWithContext(ctx)
}

// reads finds out how a kind is read; one that is not installed may be later.
func (s *source) reads(ctx context.Context) (listing, bool) {
	if s.kind != nil {
		s.mu.Lock()
		s.resource = s.kind.resource
		s.mu.Unlock()
		return s.follower.clients.builtin(s.kind, s.place.namespace), true
	}
	delay := again
	for {
		resource, namespaced, err := s.follower.discover(ctx, s.place.apiVersion, s.place.kind)
		if err == nil {
			namespace := ""
			if namespaced {
				namespace = s.place.namespace
			}
			s.mu.Lock()
			s.resource = resource.GroupResource().String()
			s.mu.Unlock()
			return s.follower.clients.custom(resource, namespace), true
		}
		s.fail(fmt.Sprintf("find %s %s: %v", s.place.apiVersion, s.place.kind, err))
		select {
		case <-ctx.Done():
			return listing{}, false
		case <-time.After(delay):
			delay = min(2*delay, atMost)
		}
	}
}

// state of the source: whether it has ever been read, and what went wrong last.
func (s *source) state() (synced bool, failure string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.synced, s.failure
}

// where names the place for people: "pods in shop".
func (s *source) where() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	resource := s.resource
	if resource == "" {
		resource = s.place.kind
	}
	if s.place.namespace == "" {
		return resource
	}
	return resource + " in " + s.place.namespace
}

func (s *source) fail(text string) {
	s.change(func() {
		s.failure = text
	})
}

// change wakes the users if it changed what they would see.
func (s *source) change(do func()) {
	s.mu.Lock()
	synced, failed := s.synced, s.failure != ""
	do()
	woken := synced != s.synced || failed != (s.failure != "")
	if s.synced || s.failure != "" {
		select {
		case <-s.settled:
		default:
			close(s.settled)
		}
	}
	s.mu.Unlock()
	if woken {
		s.follower.wakeUsers(s)
	}
}

// The store of the reflector.

// Transformer makes records as soon as an object is read, so that a long list is never held whole.
func (s *source) Transformer() cache.TransformFunc {
	return func(object any) (any, error) { return s.recordOf(object), nil }
}

// skipped is a record that nobody needs.
type skipped struct{ head }

func (s *source) recordOf(object any) record {
	if r := s.follower.reader.record(object); r != nil {
		return r
	}
	skip := &skipped{}
	if m, err := meta.Accessor(object); err == nil {
		skip.name, skip.version = m.GetName(), m.GetResourceVersion()
	}
	return skip
}

// Add puts an object on the shelf.
func (s *source) Add(object any) error { return s.Update(object) }

// Update puts an object on the shelf.
func (s *source) Update(object any) error {
	r := s.recordOf(object)
	if _, skip := r.(*skipped); skip {
		s.shelf.drop(r.core().name)
		return nil
	}
	old := s.shelf.put(r)
	if newer, ok := r.(*nodeRecord); ok {
		if before, ok := old.(*nodeRecord); ok && before.node == newer.node {
			return nil // a heartbeat
		}
	}
	s.follower.touched(s, r)
	return nil
}

// Delete takes an object off the shelf.
func (s *source) Delete(object any) error {
	r := s.recordOf(object)
	if old := s.shelf.drop(r.core().name); old != nil {
		s.follower.touched(s, old)
	}
	return nil
}

// Replace puts a whole list on the shelf.
func (s *source) Replace(objects []any, _ string) error {
	records := make([]record, 0, len(objects))
	for _, object := range objects {
		r := s.recordOf(object)
		if _, skip := r.(*skipped); !skip {
			records = append(records, r)
		}
	}
	touched := s.shelf.replace(records)
	s.change(func() {
		s.synced = true
		if s.streamed {
			s.failure = ""
		}
	})
	for _, r := range touched {
		s.follower.touched(s, r)
	}
	return nil
}

// Resync has no meaning here.
func (s *source) Resync() error { return nil }

// counted is a listing whose requests are counted and whose outcome is seen.
type counted struct {
	listing
	source *source
}

// ListWithContext is a list of the reflector.
func (c *counted) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	c.source.follower.requests.list.Add(1)
	ctx, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	list, err := c.list(ctx, options)
	c.note("list", err)
	return list, err
}

// WatchWithContext is a watch of the reflector.
func (c *counted) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	c.source.follower.requests.watch.Add(1)
	streams := options.SendInitialEvents != nil && *options.SendInitialEvents
	w, err := c.watch(ctx, options)
	c.source.mu.Lock()
	c.source.streamed = streams && err == nil
	c.source.mu.Unlock()
	var status apierrors.APIStatus
	switch {
	case !streams && err == nil:
		c.source.change(func() { c.source.failure = "" })
	case !streams:
		c.note("watch", err)
	case !errors.As(err, &status):
		// What the server refuses may be the stream alone: the list that follows will tell.
		c.note("list", err)
	}
	return w, err
}

func (c *counted) note(verb string, err error) {
	if err != nil && !expired(err) {
		c.source.fail(fmt.Sprintf("%s %s: %v", verb, c.source.where(), err))
	}
}

// List is for callers without a context; there are none.
func (c *counted) List(options metav1.ListOptions) (runtime.Object, error) {
	return c.ListWithContext(context.Background(), options)
}

// Watch is for callers without a context; there are none.
func (c *counted) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return c.WatchWithContext(context.Background(), options)
}
