package control

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// requestTimeout is how long a connection may take to send its request.
const requestTimeout = 5 * time.Second

// acceptPause is the pause after an accept that failed.
const acceptPause = 50 * time.Millisecond

// firstGrace is how long a new server counts as busy: who started it may be slow
// to come.
const firstGrace = 10 * time.Second

// ErrClosing makes the server hang up without an answer: the client asks the
// shim that comes next.
var ErrClosing = errors.New("shim is closing")

// Handler answers one request by calling send, the last time with End set. An
// error is sent as the answer. ctx ends when the client hangs up.
type Handler func(ctx context.Context, request Request, send func(Response) error) error

// Server answers on a Unix socket. Make it with Serve.
type Server struct {
	nonce    string
	handler  Handler
	listener net.Listener
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu      sync.Mutex
	number  uint64
	waiting map[uint64]chan struct{} // connections whose request was not taken in yet
	active  int
	last    time.Time
}

// Serve answers what comes in at listener until Close.
func Serve(listener net.Listener, nonce string, handler Handler) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		nonce: nonce, handler: handler, listener: listener, cancel: cancel,
		waiting: map[uint64]chan struct{}{}, last: time.Now().Add(firstGrace),
	}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil { // descriptors ran out: those of the traffic are of this process too
				select {
				case <-time.After(acceptPause):
					continue
				case <-ctx.Done():
					return
				}
			}
			s.mu.Lock()
			s.number++
			number := s.number
			s.waiting[number] = make(chan struct{})
			s.active++
			s.mu.Unlock()
			s.wg.Add(1)
			go func() {
				defer s.wg.Done()
				s.serve(ctx, conn, number)
			}()
		}
	}()
	return s
}

// Close ends all connections and waits for them.
func (s *Server) Close() {
	_ = s.listener.Close()
	s.cancel()
	s.wg.Wait()
}

// Idle returns since when nobody is connected; false while somebody is.
func (s *Server) Idle() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.active == 0
}

// connection is what the context of a handler knows of its own.
type connection struct {
	server *Server
	number uint64
}

type connectionKey struct{}

// Settle marks the request of a handler's context as taken in: whatever it
// changes, it has changed. WaitEarlier waits for all that connected before.
func Settle(ctx context.Context) {
	if own, ok := ctx.Value(connectionKey{}).(connection); ok {
		own.server.settle(own.number)
	}
}

func (s *Server) settle(number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if waiting, ok := s.waiting[number]; ok {
		close(waiting)
		delete(s.waiting, number)
	}
}

// WaitEarlier returns when every request of a connection older than that of ctx
// was taken in, so that none can land after the answer.
func WaitEarlier(ctx context.Context) error {
	own, ok := ctx.Value(connectionKey{}).(connection)
	if !ok {
		return nil
	}
	s, number := own.server, own.number
	var earlier []chan struct{}
	s.mu.Lock()
	for other, waiting := range s.waiting {
		if other < number {
			earlier = append(earlier, waiting)
		}
	}
	s.mu.Unlock()
	for _, waiting := range earlier {
		select {
		case <-waiting:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *Server) serve(ctx context.Context, conn net.Conn, number uint64) {
	ctx, cancel := context.WithCancel(context.WithValue(ctx, connectionKey{}, connection{s, number}))
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer func() {
		s.settle(number)
		s.mu.Lock()
		s.active--
		s.last = time.Now()
		s.mu.Unlock()
		_ = conn.Close()
	}()
	_ = conn.SetReadDeadline(time.Now().Add(requestTimeout))
	var request Request
	input := bufio.NewReader(conn)
	if err := json.NewDecoder(input).Decode(&request); err != nil {
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	encoder := json.NewEncoder(conn)
	proof := ""
	if subtle.ConstantTimeCompare([]byte(request.Nonce), []byte(s.nonce)) != 1 {
		_ = encoder.Encode(Response{}) // no proof: the client looks for the real one
		return
	}
	proof = Proof(s.nonce)
	s.wg.Add(1)
	go func() { // the client sends nothing more: this ends when it hangs up
		defer s.wg.Done()
		_, _ = io.Copy(io.Discard, input)
		cancel()
	}()
	send := func(response Response) error {
		response.Proof, proof = proof, ""
		return encoder.Encode(response)
	}
	if err := s.handler(ctx, request, send); err != nil && !errors.Is(err, ErrClosing) {
		_ = send(Response{Error: encodeError(err), End: true})
	}
}

func encodeError(err error) *Error {
	var e *sdk.Error
	if errors.As(err, &e) {
		return &Error{Code: e.Code, Reason: e.Reason, Message: e.Error(), Resource: e.Resource, By: e.By, Metadata: e.Metadata}
	}
	return &Error{Code: sdk.Internal, Reason: sdk.ReasonPluginBug, Message: err.Error()}
}

// Proof is what a shim answers with, to show that it knows the nonce.
func Proof(nonce string) string {
	sum := sha256.Sum256([]byte("apm-plugin-process shim " + nonce))
	return hex.EncodeToString(sum[:])
}
