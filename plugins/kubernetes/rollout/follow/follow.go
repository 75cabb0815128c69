package follow

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// ErrClosed is returned by every call after Close.
var ErrClosed = errors.New("the follower is closed")

// Options of a Follower; the zero value is usable.
type Options struct {
	// Log gets what goes wrong between the pictures; default: nowhere.
	Log *slog.Logger
	// Now is the time of pictures; default time.Now.
	Now func() time.Time
	// QPS and Burst limit requests to the API server; default 200 and 400, with a QPS below 0
	// there is no limit.
	QPS   float32
	Burst int
	// Linger is how long a watch goes on that nobody needs any more, so that whoever
	// looks once in a while finds it; default 2 minutes.
	Linger time.Duration
	// Patience is how long a picture waits for a kind that was never read before, and for
	// an API server that does not answer; then the picture is Blind for it. Default 5 s.
	Patience time.Duration
	// LastLines is how many lines of a failed container are shown; default 100.
	LastLines int
}

// Follower follows the workloads of one cluster. Its methods may be called at the same time.
type Follower struct {
	options  Options
	log      *slog.Logger
	host     string
	clients  *clients
	reader   *reader
	requests counters
	pulse    pulse
	absent   absent
	ends     lastLines

	life  context.Context // of all watches; ends with Close
	end   context.CancelFunc
	group sync.WaitGroup

	mu      sync.RWMutex
	sources map[place]*source
	subject map[target]map[*Following]struct{}
}

// New makes a follower; it asks nobody yet. The config is copied. Errors are those of a
// config that no client can be made of.
func New(config *rest.Config, options Options) (*Follower, error) {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	options.QPS, options.Burst = cmp.Or(options.QPS, 200), cmp.Or(options.Burst, 400)
	options.Linger = cmp.Or(options.Linger, 2*time.Minute)
	options.Patience = cmp.Or(options.Patience, 5*time.Second)
	options.LastLines = cmp.Or(options.LastLines, 100)
	clients, err := newClients(config, options.QPS, options.Burst)
	if err != nil {
		return nil, err
	}
	f := &Follower{
		options: options, log: options.Log, host: config.Host, clients: clients, reader: newReader(),
		sources: map[place]*source{}, subject: map[target]map[*Following]struct{}{},
	}
	f.pulse.wanted = make(chan struct{}, 1)
	f.absent.known = map[absentKey]answer{}
	f.ends.read = map[string]*ending{}
	f.life, f.end = context.WithCancel(context.Background())
	f.group.Go(func() { f.beat(f.life) })
	return f, nil
}

// Close ends all watches and waits for them. Whoever still follows gets ErrClosed.
func (f *Follower) Close() {
	f.mu.Lock() // no source starts any more
	f.end()
	for _, s := range f.sources {
		if s.linger != nil {
			s.linger.Stop()
		}
	}
	f.mu.Unlock()
	f.group.Wait()
}

// target is what is followed, as whoever belongs to it names it.
type target struct{ kind, namespace, name string }

// acquire returns the source of a place for a user, started if need be. The follower's
// mutex is held.
func (f *Follower) acquire(at place, k *kind, user *Following) *source {
	s := f.sources[at]
	if s == nil {
		s = &source{
			follower: f, place: at, kind: k, shelf: newShelf(),
			settled: make(chan struct{}), users: map[*Following]struct{}{},
		}
		f.sources[at] = s
		var ctx context.Context
		ctx, s.cancel = context.WithCancel(f.life)
		f.group.Go(func() { s.run(ctx) })
	}
	if s.linger != nil {
		s.linger.Stop()
		s.linger = nil
	}
	s.users[user] = struct{}{}
	return s
}

// release lets a source go; it lingers. The follower's mutex is held.
func (f *Follower) release(s *source, user *Following) {
	delete(s.users, user)
	if len(s.users) > 0 || s.linger != nil || f.life.Err() != nil {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(f.options.Linger, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if s.linger == timer && len(s.users) == 0 {
			s.cancel()
			delete(f.sources, s.place)
		}
	})
	s.linger = timer
}

// belongs are the built-in kinds that may stand between an object and its workload.
var belongs = map[string]*kind{"Pod": pods, "ReplicaSet": replicaSets, "Job": jobs}

// touched wakes whoever follows what an object belongs to.
func (f *Follower) touched(s *source, r record) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if s.kind == nodes {
		f.wake(s.users)
		return
	}
	namespace := s.place.namespace
	f.wake(f.subject[target{s.place.kind, namespace, r.core().name}])
	// A chain is no longer than event, pod, job, cron job.
	for range 4 {
		up := r.core().parent
		if up.kind == "" {
			return
		}
		f.wake(f.subject[target{up.kind, namespace, up.name}])
		k := belongs[up.kind]
		if k == nil {
			return
		}
		if s = f.sources[k.at(namespace)]; s == nil {
			return
		}
		if r = s.shelf.get(up.name); r == nil {
			return
		}
	}
}

func (f *Follower) wakeUsers(s *source) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	f.wake(s.users)
}

func (f *Follower) wakeAll() {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, users := range f.subject {
		f.wake(users)
	}
}

func (f *Follower) wake(users map[*Following]struct{}) {
	for g := range users {
		select {
		case g.changed <- struct{}{}:
		default: // it has yet to look at the change before
		}
	}
}
