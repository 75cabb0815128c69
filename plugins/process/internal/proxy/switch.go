package proxy

import (
	"context"
	"net"
	"sync"

	"github.com/apm-deploy/apm/plugins/process/internal/release"
)

// Switch decides which release answers. The zero value has none.
type Switch struct {
	mu        sync.RWMutex
	serving   *Group
	candidate *Group
	percent   uint64
	epoch     uint64 // of the setting; counters begin anew with each
}

// Set gives percent of the traffic to candidate and the rest to serving. Either
// may be nil. When it returns, everything that begins follows the new setting.
func (s *Switch) Set(serving, candidate *Group, percent int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving, s.candidate, s.percent = serving, candidate, uint64(percent)
	s.epoch++
}

// counter spreads a share evenly: of any hundred in a row exactly percent go to
// the candidate, and of ten in a row with 10 % exactly one.
type counter struct {
	mu    sync.Mutex
	epoch uint64
	n     uint64
}

func (c *counter) candidate(epoch, percent uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch != epoch {
		c.epoch, c.n = epoch, 0
	}
	c.n++
	return c.n*percent/100 > (c.n-1)*percent/100
}

// take counts a request or connection in, at the release whose turn it is; nil
// if none serves the address.
func (s *Switch) take(listen string, c *counter) *lease {
	s.mu.RLock()
	defer s.mu.RUnlock()
	group, port := s.choose(listen, c)
	if group == nil {
		return nil
	}
	return group.acquire(port.Name)
}

// protocol of the release that answers on an address now.
func (s *Switch) protocol(listen string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if port, ok := portOf(s.serving, listen); ok {
		return port.Protocol
	}
	if port, ok := portOf(s.candidate, listen); ok {
		return port.Protocol
	}
	return release.HTTP
}

func (s *Switch) choose(listen string, c *counter) (*Group, Port) {
	old, hasOld := portOf(s.serving, listen)
	fresh, hasFresh := portOf(s.candidate, listen)
	switch {
	case hasOld && hasFresh:
		// An address cannot speak two protocols at once: it changes with the
		// last step.
		turn := old.Protocol == fresh.Protocol && c.candidate(s.epoch, s.percent)
		switch { // a release of which nothing is up passes its turn on
		case turn && (s.candidate.ready() || !s.serving.ready()):
			return s.candidate, fresh
		case !turn && s.percent > 0 && old.Protocol == fresh.Protocol && !s.serving.ready() && s.candidate.ready():
			return s.candidate, fresh
		default:
			return s.serving, old
		}
	case hasOld:
		return s.serving, old
	case hasFresh && s.percent > 0:
		return s.candidate, fresh
	default:
		return nil, Port{}
	}
}

func portOf(g *Group, listen string) (Port, bool) {
	if g == nil {
		return Port{}, false
	}
	port, ok := g.ports[listen]
	return port, ok
}

// dial connects to the instance whose turn it is. One that refuses is passed
// over: nothing was sent to it.
func (l *lease) dial(ctx context.Context) (net.Conn, error) {
	addresses, err := l.addresses(ctx)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	for _, address := range addresses {
		var conn net.Conn
		if conn, err = dialer.DialContext(ctx, "tcp", address); err == nil {
			return conn, nil
		}
	}
	return nil, err
}
