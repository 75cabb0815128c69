package server

import (
	"context"
	"errors"
	"sync"
)

// Why a conversation ends.
var (
	errGoingAway = errors.New("the host goes away")
	errSlow      = errors.New("the client does not keep up")
	errRevoked   = errors.New("the token is no longer valid")
	errHungUp    = errors.New("the client hung up")
	errGone      = errors.New("the deployment was removed from the history")
	errCrowded   = errors.New("no more WebSocket clients can be served now")
)

// sockets counts the live WebSocket clients, which no server shutdown knows of,
// and ends them.
type sockets struct {
	max int

	mu      sync.Mutex
	closing bool
	live    map[*session]context.CancelCauseFunc
	idle    chan struct{} // closed when the last one is gone while closing
}

// newSockets returns a count that refuses more than max.
func newSockets(limit int) *sockets {
	return &sockets{max: limit, live: map[*session]context.CancelCauseFunc{}, idle: make(chan struct{})}
}

// count returns how many there are.
func (s *sockets) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live)
}

// full says whether there is no room for another one.
func (s *sockets) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing || len(s.live) >= s.max
}

// enter counts a session in, or says why it may not go on. Between full and
// here others may have come.
func (s *sockets) enter(session *session, cancel context.CancelCauseFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return errGoingAway
	case len(s.live) >= s.max:
		return errCrowded
	}
	s.live[session] = cancel
	return nil
}

// leave counts it out.
func (s *sockets) leave(session *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, session)
	if s.closing && len(s.live) == 0 {
		close(s.idle)
	}
}

// close ends every session and waits for them as long as ctx lasts.
func (s *sockets) close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closing {
		s.closing = true
		if len(s.live) == 0 {
			close(s.idle)
		}
		for _, cancel := range s.live {
			cancel(errGoingAway)
		}
	}
	s.mu.Unlock()
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
