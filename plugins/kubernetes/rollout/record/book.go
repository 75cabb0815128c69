package record

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

// Config is what a book needs of its plugin. All of it is required but Failure.
type Config struct {
	Log     *slog.Logger
	Cluster *cluster.Cluster
	// Drive takes the steps of one operation until it has ended, on behalf of one
	// epoch. It is called again after a crash, after an error of its own that says that
	// the cluster is down ([cluster.IsDown]), and whenever the operation is promoted,
	// cancelled or recovered while nobody drives it; operations of a component go one
	// after the other. Any other error ends the operation as failed, and so does a return
	// while it has neither ended nor a candidate. ctx ends at Close: then the operation
	// stays as it is.
	Drive func(ctx context.Context, w *Work) error
	// State is the picture of an operation from what is written alone: for a process
	// in which nothing was shown of it yet ([Work.Show]). The candidate is added to it.
	State func(o *Operation) *sdk.State
	// Failure says what an error of Drive means. [FailureOf] if not given.
	Failure func(err error) sdk.Failure
}

// Book holds the journals of a plugin's process, and drives their operations.
type Book struct {
	config Config
	id     string          // of this process: who drives
	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex
	shelf map[string]*place // by namespace and name of the Secret
}

// New returns a book. Close ends what it drives.
func New(config Config) *Book {
	if config.Failure == nil {
		config.Failure = FailureOf
	}
	b := &Book{config: config, id: rand.Text()[:12], shelf: map[string]*place{}}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// Close stops driving, as [sdk.Closer] wants it. What is under way is gone on with
// after Recover.
func (b *Book) Close(ctx context.Context) error {
	b.mu.Lock()
	b.cancel()
	b.mu.Unlock()
	done := make(chan struct{})
	go func() {
		b.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// spawn runs what outlives the call that began it, unless the book is closed.
func (b *Book) spawn(run func(ctx context.Context)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() == nil {
		b.work.Go(func() { run(b.ctx) })
	}
}

// Journal is that of one component. Make it with [Book.At].
type Journal struct {
	book      *Book
	place     *place
	namespace string
	name      string // of the Secret
	identity  cluster.Identity
}

// At returns the journal of a component in a namespace. It asks the cluster nothing.
func (b *Book) At(namespace string, identity cluster.Identity) *Journal {
	name := NameOf(identity)
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.shelf[namespace+"/"+name]
	if p == nil {
		p = newPlace()
		b.shelf[namespace+"/"+name] = p
	}
	return &Journal{book: b, place: p, namespace: namespace, name: name, identity: identity}
}

// NameOf is the name of the Secret of a component.
func NameOf(identity cluster.Identity) string { return "apm-" + identity.Hash() }

// Identity is the component of the journal.
func (j *Journal) Identity() cluster.Identity { return j.identity }

// Changed returns a channel that is closed at the next change that this process makes or
// sees. Take it before you look, and nothing is missed; for changes by others look now
// and then.
func (j *Journal) Changed() <-chan struct{} { return j.place.changes() }

// place is what the process shares about one journal.
type place struct {
	turn sync.Mutex    // held by who drives an operation of the component
	io   chan struct{} // holds one: whose change it is

	mu      sync.Mutex
	changed chan struct{} // closed and replaced whenever something was written or said
	latest  *stored       // what was last read or written; nil: nothing yet
	looked  time.Time     // when that was
	writes  uint64        // how often it was written by us
	feeds   []*feed       // of the last operations, newest last
}

func newPlace() *place { return &place{io: make(chan struct{}, 1), changed: make(chan struct{})} }

func (p *place) changes() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

func (p *place) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wakeLocked()
}

func (p *place) wakeLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// acquire takes the journal for a change by this process; what others do meanwhile is
// told by the resourceVersion.
func (p *place) acquire(ctx context.Context) error {
	select {
	case p.io <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *place) release() { <-p.io }
