package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// Subject is what a picture shows. Of a Ref APIVersion, Kind, Namespace and Name count;
// of Services Namespace and Name. UIDs are ignored: whatever bears the name is shown, with
// its UID.
type Subject struct {
	Workloads []picture.Ref
	Services  []picture.Ref
}

func (s Subject) check() error {
	if len(s.Workloads)+len(s.Services) == 0 {
		return errors.New("follow: the subject names no workload and no service")
	}
	for i, w := range s.Workloads {
		if w.APIVersion == "" || w.Kind == "" || w.Name == "" {
			return fmt.Errorf("follow: workload %d of the subject: apiVersion %q, kind %q and name %q must all be there", i, w.APIVersion, w.Kind, w.Name)
		}
	}
	for i, service := range s.Services {
		if service.Name == "" {
			return fmt.Errorf("follow: service %d of the subject has no name", i)
		}
	}
	return nil
}

// Picture looks once. A workload that is not there is not in it; a Service that is not
// there is Missing. What cannot be looked at (a right that is missing, a kind that is not
// installed, an API server that does not answer) is in Blind, and no error: errors are
// ErrClosed, a Subject that names nothing, and the end of ctx.
//
// The first picture of a kind in a namespace reads all of it; the watch goes on for
// Options.Linger, so that the next is free. Pictures share memory: they are to be read only.
func (f *Follower) Picture(ctx context.Context, subject Subject) (picture.Picture, error) {
	g, err := f.Follow(subject)
	if err != nil {
		return picture.Picture{}, err
	}
	defer g.Close()
	return g.Picture(ctx)
}

// Follow keeps the watches for subject until Close of what it returns. It does not wait:
// start it before a change to have everything read when the change comes.
func (f *Follower) Follow(subject Subject) (*Following, error) {
	if err := subject.check(); err != nil {
		return nil, err
	}
	g := &Following{follower: f, subject: subject, changed: make(chan struct{}, 1), sources: map[place]*source{}}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.life.Err() != nil {
		return nil, ErrClosed
	}
	for _, w := range subject.Workloads {
		g.register(target{w.Kind, w.Namespace, w.Name})
		needed := []*kind{pods, events}
		if k := known(w.APIVersion, w.Kind); k != nil {
			needed = workloads[k]
		} else {
			g.need(place{w.APIVersion, w.Kind, w.Namespace}, nil)
			if w.Namespace == "" {
				needed = nil
			}
			if w.Kind == "Rollout" {
				needed = []*kind{replicaSets, pods, events}
			}
		}
		for _, k := range needed {
			g.need(k.at(w.Namespace), k)
		}
	}
	for _, service := range subject.Services {
		g.register(target{"Service", service.Namespace, service.Name})
		g.need(services.at(service.Namespace), services)
		g.need(endpointSlices.at(service.Namespace), endpointSlices)
	}
	f.pulse.want()
	return g, nil
}

// Following is a subject whose watches are kept. Its methods may be called at the same time.
type Following struct {
	follower *Follower
	subject  Subject
	changed  chan struct{}

	// Guarded by the follower's mutex.
	sources map[place]*source
	targets []target
	closed  bool
}

func (g *Following) register(t target) {
	users := g.follower.subject[t]
	if users == nil {
		users = map[*Following]struct{}{}
		g.follower.subject[t] = users
	}
	users[g] = struct{}{}
	g.targets = append(g.targets, t)
}

func (g *Following) need(at place, k *kind) {
	if g.sources[at] == nil {
		g.sources[at] = g.follower.acquire(at, k, g)
	}
}

// Changed receives when a picture may differ from the one before; several changes are one.
// Time alone is no change: nodes, missing objects and last lines may come with a later
// picture though nothing was received. It is never closed.
func (g *Following) Changed() <-chan struct{} { return g.changed }

// Close lets the watches go.
func (g *Following) Close() {
	f := g.follower
	f.mu.Lock()
	defer f.mu.Unlock()
	if g.closed {
		return
	}
	g.closed = true
	for _, s := range g.sources {
		f.release(s, g)
	}
	for _, t := range g.targets {
		delete(f.subject[t], g)
		if len(f.subject[t]) == 0 {
			delete(f.subject, t)
		}
	}
}

// together is how long a watch waits for changes that come with one another.
const together = 20 * time.Millisecond

// Watch calls show with a picture at once, after each change and, with every > 0, at
// least that often: some verdicts come by time alone. Changes that come together are one
// picture. It returns the error of show, ErrClosed, or that of ctx.
func (f *Follower) Watch(ctx context.Context, subject Subject, every time.Duration, show func(picture.Picture) error) error {
	g, err := f.Follow(subject)
	if err != nil {
		return err
	}
	defer g.Close()
	for {
		p, err := g.Picture(ctx)
		if err != nil {
			return err
		}
		if err := show(p); err != nil {
			return err
		}
		if err := pause(ctx, f.life, together, nil); err != nil {
			return err
		}
		if err := pause(ctx, f.life, every, g.changed); err != nil {
			return err
		}
	}
}

// pause returns after a while (0: never) or when woken.
func pause(ctx, life context.Context, while time.Duration, woken <-chan struct{}) error {
	var over <-chan time.Time
	if while > 0 {
		timer := time.NewTimer(while)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-life.Done():
		return ErrClosed
	case <-over:
	case <-woken:
	}
	return nil
}
