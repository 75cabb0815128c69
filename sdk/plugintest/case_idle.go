package plugintest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/net/http2"
)

const (
	// idleConnection is the case that takes longest, by waiting: it runs beside all
	// others and is looked at when they are done.
	idleConnection = "idle connection with pings"
	// pingEvery is a little above what a plugin must allow. A server that allows
	// less ends the connection at the third or fourth.
	pingEvery   = 5200 * time.Millisecond
	pings       = 5
	pingTimeout = 3 * time.Second
)

// idle is a connection on which nothing is called.
type idle struct {
	ended chan struct{}
	err   error
}

// startIdle opens a connection as the host's, on which nothing but pings happens.
func (s *suite) startIdle(whole T) *idle {
	i := &idle{ended: make(chan struct{})}
	p, err := start(whole, s.config.Command, s.env())
	if err != nil {
		i.err = fmt.Errorf("start the plugin: %w", err)
		close(i.ended)
		return i
	}
	ctx, cancel := context.WithCancel(whole.Context())
	whole.Cleanup(func() {
		cancel()
		<-i.ended
	})
	go func() {
		defer close(i.ended)
		i.err = p.keepIdle(ctx)
	}()
	return i
}

// idlePings waits for the end of what startIdle began.
func idlePings(b *bench) {
	if b.suite.idle == nil { // the case is the only one
		b.suite.idle = b.suite.startIdle(b.T)
	}
	select {
	case <-b.suite.idle.ended:
	case <-b.Context().Done():
		b.Fatal(context.Cause(b.Context()))
	}
	if err := b.suite.idle.err; err != nil {
		b.Errorf("an idle connection with a ping every %v: %v\ngRPC servers take that for abuse unless they are told otherwise: "+
			"allow pings without calls, and an interval of 5 s", pingEvery, err)
	}
}

// keepIdle speaks HTTP/2 by itself: a gRPC client pings no faster than every 10 s.
func (p *Process) keepIdle(ctx context.Context) error {
	config := p.tls()
	config.NextProtos = []string{http2.NextProtoTLS}
	raw, err := new(net.Dialer).DialContext(ctx, "unix", p.socket())
	if err != nil {
		return err
	}
	conn := tls.Client(raw, config)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close()
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		return err
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	for ping := range pings {
		if err := quiet(framer, conn, time.Now().Add(pingEvery)); err != nil {
			return fmt.Errorf("after %d pings: %w", ping, err)
		}
		if err := pingOnce(framer, conn, byte(ping+1)); err != nil {
			return fmt.Errorf("ping %d: %w", ping+1, err)
		}
	}
	return nil
}

// quiet reads until a time at which nothing more is expected.
func quiet(framer *http2.Framer, conn net.Conn, until time.Time) error {
	if err := conn.SetReadDeadline(until); err != nil {
		return err
	}
	for {
		_, err := answerFrame(framer)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func pingOnce(framer *http2.Framer, conn net.Conn, number byte) error {
	data := [8]byte{number}
	if err := framer.WritePing(false, data); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(pingTimeout)); err != nil {
		return err
	}
	for {
		frame, err := answerFrame(framer)
		if err != nil {
			return err
		}
		if ping, ok := frame.(*http2.PingFrame); ok && ping.IsAck() && ping.Data == data {
			return nil
		}
	}
}

// answerFrame reads a frame and gives the answer that it wants, if any.
func answerFrame(framer *http2.Framer) (http2.Frame, error) {
	frame, err := framer.ReadFrame()
	if err != nil {
		return nil, err
	}
	switch f := frame.(type) {
	case *http2.GoAwayFrame:
		return nil, fmt.Errorf("the server ended the connection: GOAWAY %s %q", f.ErrCode, f.DebugData())
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return f, framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return f, framer.WritePing(true, f.Data)
		}
	}
	return frame, nil
}
