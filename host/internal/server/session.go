package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fasthttp/websocket"

	v1 "github.com/apm-deploy/apm/api/v1"
)

// session is a conversation with one WebSocket client: a goroutine that finds
// out what there is to say, one that writes, one that reads. It lasts no longer
// than the handler that runs it, and neither does its hold on the connection.
type session struct {
	conn   *websocket.Conn
	config Config
	log    *slog.Logger
	again  string // the parameter with which a new connection goes on
	sent   func()

	out     chan message
	ending  chan struct{} // closed when nothing more is to be taken from out
	lastSeq atomic.Uint64 // of the last message that was written
	broken  atomic.Bool   // nothing can be written any more

	mu   sync.Mutex
	last bool // the read deadline is the last one
}

// message is one event to be written. One without text says that all before it
// were.
type message struct {
	seq     uint64
	text    []byte
	written chan<- struct{}
}

// How a conversation is closed.
const (
	maxRead   = 4 << 10 // clients have nothing to say
	closeTime = time.Second
)

// newSession returns a session on a connection.
func newSession(conn *websocket.Conn, config Config, log *slog.Logger, again string, sent func()) *session {
	return &session{
		conn: conn, config: config, log: log, again: again, sent: sent,
		out: make(chan message, config.Buffer), ending: make(chan struct{}),
	}
}

// run lets source speak until it, the client or ctx ends, and closes the
// connection saying why. It returns when all its goroutines have.
func (s *session) run(ctx context.Context, cancel context.CancelCauseFunc, source func(context.Context) error) {
	var reading, writing sync.WaitGroup
	reading.Go(func() { cancel(s.read()) })
	writing.Go(func() { s.write(cancel) })

	err := source(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(err)
	// A write that hangs gets a little more time, not its whole deadline.
	grace := closeTime
	if errors.Is(err, errSlow) {
		grace = s.config.WriteTimeout / 2
	}
	close(s.ending)
	s.deadline(time.Now().Add(grace))
	writing.Wait()
	s.finish(err, grace)
	// The client answers the close; unread bytes would turn it into a reset.
	s.listen(min(grace, closeTime), true)
	reading.Wait()
}

// listen bounds how long the client may be silent from now on. After the last
// time nothing lengthens it.
func (s *session) listen(within time.Duration, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last {
		return
	}
	s.last = last
	if err := s.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		s.log.Debug("deadline not set", "error", err)
	}
}

// deadline bounds a write that is under way. The connection below is asked,
// since the WebSocket's own deadline counts from the next write.
func (s *session) deadline(at time.Time) {
	if err := s.conn.NetConn().SetWriteDeadline(at); err != nil {
		s.log.Debug("deadline not set", "error", err)
	}
}

// read takes pongs and the close, and notices silence.
func (s *session) read() error {
	s.conn.SetReadLimit(maxRead)
	heard := func() { s.listen(s.config.Idle, false) }
	s.conn.SetPongHandler(func(string) error { heard(); return nil })
	answer := s.conn.PingHandler()
	s.conn.SetPingHandler(func(data string) error { heard(); return answer(data) })
	heard()
	for {
		if _, _, err := s.conn.NextReader(); err != nil {
			return errHungUp
		}
		heard()
	}
}

// over says whether the conversation ends.
func (s *session) over() bool {
	select {
	case <-s.ending:
		return true
	default:
		return false
	}
}

// write is the only one to write messages and pings, until the session ends.
func (s *session) write(cancel context.CancelCauseFunc) {
	ping := time.NewTicker(s.config.Ping)
	defer ping.Stop()
	for !s.over() {
		select {
		case <-s.ending:
			return
		case <-ping.C:
			if err := s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(s.config.WriteTimeout)); err != nil {
				s.broken.Store(true)
				cancel(errSlow)
				return
			}
		case m := <-s.out:
			if m.text == nil {
				close(m.written)
				continue
			}
			if err := s.put(m.text, s.config.WriteTimeout); err != nil {
				s.broken.Store(true)
				cancel(errSlow)
				return
			}
			s.lastSeq.Store(m.seq)
			s.sent()
		}
	}
}

// put writes one message.
func (s *session) put(text []byte, within time.Duration) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	return s.conn.WriteMessage(websocket.TextMessage, text)
}

// send queues an event that must not be lost. A client whose queue stays full
// for half of the time that one write may take does not keep up.
func (s *session) send(ctx context.Context, event v1.Event) error {
	m, err := encode(event)
	if err != nil {
		return err
	}
	select {
	case s.out <- m:
		return nil
	default:
	}
	patience := time.NewTimer(s.config.WriteTimeout / 2)
	defer patience.Stop()
	select {
	case s.out <- m:
		return nil
	case <-patience.C:
		return errSlow
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// flush waits until what was queued is written.
func (s *session) flush(ctx context.Context) error {
	written := make(chan struct{})
	select {
	case s.out <- message{written: written}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-written:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// offer queues an event if there is room, and says whether there was.
func (s *session) offer(event v1.Event) bool {
	m, err := encode(event)
	if err != nil {
		return false
	}
	select {
	case s.out <- m:
		return true
	default:
		return false
	}
}

// encode writes an event down.
func encode(event v1.Event) (message, error) {
	text, err := json.Marshal(event)
	return message{seq: event.Seq, text: text}, err
}

// finish says why the conversation ends, as far as the client still listens.
func (s *session) finish(err error, within time.Duration) {
	if s.broken.Load() || errors.Is(err, errHungUp) {
		return
	}
	code, text := websocket.CloseInternalServerErr, "internal error"
	switch {
	case errors.Is(err, errGoingAway):
		code, text = websocket.CloseGoingAway, "the host goes away; connect again with "+s.again
	case errors.Is(err, errRevoked):
		code, text = websocket.ClosePolicyViolation, err.Error()
	case errors.Is(err, errCrowded), errors.Is(err, errQuiet):
		code, text = websocket.CloseTryAgainLater, err.Error()
	case errors.Is(err, errGone):
		code, text = websocket.CloseNormalClosure, err.Error()
	case errors.Is(err, errSlow):
		code, text = websocket.CloseTryAgainLater, "too slow; connect again with "+s.again
		if err := s.slow(within); err != nil {
			return
		}
	default:
		s.log.Error("websocket failed", "error", err)
	}
	if err := s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(within)); err != nil {
		s.log.Debug("close not sent", "error", err)
	}
}

// slow tells a client that is cut how far it got.
func (s *session) slow(within time.Duration) error {
	last := s.lastSeq.Load()
	data, err := json.Marshal(v1.Slow{LastSeq: last, Message: "too slow; connect again with " + s.again})
	if err != nil {
		return err
	}
	m, err := encode(v1.Event{Type: "slow", Seq: last, Time: s.config.Now().UTC(), Ephemeral: true, Data: data})
	if err != nil {
		return err
	}
	return s.put(m.text, within)
}
