package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
)

type leaseKey struct{}

// newHTTP makes the server of a front.
//
// Every request goes to its instance on a connection of its own: on a kept one
// the instance may hang up just as a POST is sent, and whether it was received
// could not be told. On a fresh connection net/http never sends anything twice.
func (f *Front) newHTTP() *http.Server {
	transport := &http.Transport{
		DisableKeepAlives:  true,
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			l, ok := ctx.Value(leaseKey{}).(*lease)
			if !ok {
				return nil, errNoInstance // never: the handler put it there
			}
			return l.dial(ctx)
		},
	}
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug) // the client gets the status; the instance has its own log
	reverse := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "instance"})
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
		},
		Transport:     transport,
		FlushInterval: -1, // pass on what comes as it comes
		ErrorLog:      quiet,
		BufferPool:    buffers{},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			if errors.Is(err, errNoInstance) {
				w.Header().Set("Retry-After", "1")
				http.Error(w, "no instance of this application is ready", http.StatusServiceUnavailable)
				return
			}
			http.Error(w, "the instance that got this request did not answer it", http.StatusBadGateway)
		},
	}
	return &http.Server{
		ReadHeaderTimeout: headerTimeout,
		ErrorLog:          quiet,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			l := f.sw.take(f.listen, &f.counter)
			if l == nil {
				w.Header().Set("Retry-After", "1")
				http.Error(w, "no release answers here yet", http.StatusServiceUnavailable)
				return
			}
			defer l.release()
			reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), leaseKey{}, l)))
		}),
	}
}

const bufferSize = 32 << 10

var bufferPool = sync.Pool{New: func() any { return new([bufferSize]byte) }}

type buffers struct{}

func (buffers) Get() []byte {
	if b, ok := bufferPool.Get().(*[bufferSize]byte); ok {
		return b[:]
	}
	return make([]byte, bufferSize)
}

func (buffers) Put(b []byte) { bufferPool.Put((*[bufferSize]byte)(b)) }
