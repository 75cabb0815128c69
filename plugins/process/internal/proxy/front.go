package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/release"
)

// Front is one listening socket. It stays open across releases.
type Front struct {
	listen   string
	sw       *Switch
	counter  counter
	listener net.Listener
	http     *http.Server
	accepted chan net.Conn // for the HTTP server
	closed   chan struct{}
	once     sync.Once
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool // of TCP
}

// headerTimeout bounds a client that sends its header byte by byte. There is no
// idle timeout: closing an idle connection could meet a request on its way.
const headerTimeout = 30 * time.Second

// acceptPause is the pause after an accept that failed (no descriptors left).
const acceptPause = 50 * time.Millisecond

// Listen opens an address. Until the switch has a release for it, requests get
// 503 and connections are closed.
func Listen(listen string, sw *Switch) (*Front, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", listen)
	if err != nil {
		return nil, err
	}
	f := &Front{
		listen: listen, sw: sw, listener: listener,
		accepted: make(chan net.Conn), closed: make(chan struct{}), conns: map[net.Conn]bool{},
	}
	f.http = f.newHTTP()
	f.wg.Add(2)
	go func() {
		defer f.wg.Done()
		_ = f.http.Serve(chanListener{f}) // ends with ErrServerClosed
	}()
	go func() {
		defer f.wg.Done()
		f.accept()
	}()
	return f, nil
}

// Address is where the front listens.
func (f *Front) Address() string { return f.listener.Addr().String() }

func (f *Front) accept() {
	for {
		conn, err := f.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			select {
			case <-f.closed:
				return
			case <-time.After(acceptPause):
				continue
			}
		}
		if f.sw.protocol(f.listen) == release.TCP {
			f.wg.Add(1)
			go func() {
				defer f.wg.Done()
				f.forward(conn)
			}()
			continue
		}
		select {
		case f.accepted <- conn:
		case <-f.closed:
			_ = conn.Close()
			return
		}
	}
}

// Close stops listening, lets what is under way end until ctx does, and then
// cuts it.
func (f *Front) Close(ctx context.Context) {
	f.once.Do(func() {
		_ = f.listener.Close()
		close(f.closed) // before Shutdown, which waits for Serve to return
		if f.http.Shutdown(ctx) != nil {
			_ = f.http.Close()
		}
		f.waitConns(ctx)
	})
	f.wg.Wait()
}

func (f *Front) waitConns(ctx context.Context) {
	tick := time.NewTicker(acceptPause)
	defer tick.Stop()
	for {
		f.mu.Lock()
		left := len(f.conns)
		if ctx.Err() != nil {
			for conn := range f.conns {
				_ = conn.Close()
			}
			left = 0
		}
		f.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// chanListener feeds the HTTP server with what accept gives it.
type chanListener struct{ f *Front }

func (l chanListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.f.accepted:
		return conn, nil
	case <-l.f.closed:
		return nil, net.ErrClosed
	}
}

func (l chanListener) Close() error   { return nil }
func (l chanListener) Addr() net.Addr { return l.f.listener.Addr() }
