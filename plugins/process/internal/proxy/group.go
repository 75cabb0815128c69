// Package proxy stands in front of the instances of a component: it owns the
// listening sockets and decides for each request (http) or connection (tcp)
// which release answers it. A request is sent once or not at all, never again.
package proxy

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errNoInstance is returned while no instance of the release is ready.
var errNoInstance = errors.New("no instance is ready")

// readyWait is how long a request waits for an instance to become ready: a
// restart after a crash is mostly shorter.
const readyWait = time.Second

// Port is one public address of a release.
type Port struct {
	Name     string
	Listen   string
	Protocol string // release.HTTP or release.TCP
}

// Group is the instances of one release. Its methods are safe for several
// goroutines.
type Group struct {
	ports map[string]Port // by listen address
	ended context.Context // when the instances are gone for good
	end   context.CancelFunc

	mu       sync.Mutex
	backends map[string]map[string]string // ready ones: instance id → port name → address
	order    []string
	next     int
	inFlight int
	changed  chan struct{} // closed and renewed at every change
}

// NewGroup returns a group without instances.
func NewGroup(ports []Port) *Group {
	g := &Group{ports: map[string]Port{}, backends: map[string]map[string]string{}, changed: make(chan struct{})}
	g.ended, g.end = context.WithCancel(context.Background()) // it outlives every call
	for _, port := range ports {
		g.ports[port.Listen] = port
	}
	return g
}

// Set makes an instance take traffic at addresses (port name → host:port), or,
// with nil, take none any more.
func (g *Group) Set(id string, addresses map[string]string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, had := g.backends[id]
	switch {
	case addresses == nil && had:
		delete(g.backends, id)
		for i, other := range g.order {
			if other == id {
				g.order = append(g.order[:i:i], g.order[i+1:]...)
				break
			}
		}
	case addresses == nil:
		return
	default:
		g.backends[id] = addresses
		if !had {
			g.order = append(g.order, id)
		}
	}
	g.notify()
}

// ready says whether an instance can take traffic now.
func (g *Group) ready() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.order) > 0
}

func (g *Group) notify() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// Drained waits until nothing is under way in the group, or until ctx ends; it
// returns what is still under way.
func (g *Group) Drained(ctx context.Context) int {
	for {
		g.mu.Lock()
		left, changed := g.inFlight, g.changed
		g.mu.Unlock()
		if left == 0 {
			return 0
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return left
		}
	}
}

// End cuts the connections that are left: the instances are gone for good, and a
// client that only reads the end of one direction would hold its own for ever.
func (g *Group) End() { g.end() }

// lease is one request or connection under way.
type lease struct {
	group *Group
	port  string
	once  sync.Once
}

// acquire counts a request in. It is called under the switch's lock, so that
// after a switch nothing new can begin in the old group.
func (g *Group) acquire(port string) *lease {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight++
	return &lease{group: g, port: port}
}

func (l *lease) release() {
	l.once.Do(func() {
		l.group.mu.Lock()
		defer l.group.mu.Unlock()
		if l.group.inFlight--; l.group.inFlight == 0 {
			l.group.notify()
		}
	})
}

// addresses returns the ready instances' addresses, the one whose turn it is
// first. It waits a little for the first to become ready.
func (l *lease) addresses(ctx context.Context) ([]string, error) {
	g := l.group
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	for {
		g.mu.Lock()
		var found []string
		for i := range g.order {
			id := g.order[(g.next+i)%len(g.order)]
			found = append(found, g.backends[id][l.port])
		}
		g.next++
		changed := g.changed
		g.mu.Unlock()
		if len(found) > 0 {
			return found, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, errNoInstance
		}
	}
}
