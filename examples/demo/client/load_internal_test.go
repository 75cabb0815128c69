package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// session runs the client as its caller does: over stdin and stdout.
type session struct {
	in    io.WriteCloser
	out   *bufio.Scanner
	ended chan error
}

func open(t *testing.T, address, ids string) *session {
	t.Helper()
	inReader, in := io.Pipe()
	out, outWriter := io.Pipe()
	s := &session{in: in, out: bufio.NewScanner(out), ended: make(chan error, 1)}
	go func() {
		err := run(address, ids, inReader, outWriter)
		_ = outWriter.Close()
		s.ended <- err
	}()
	t.Cleanup(func() { _ = in.Close() })
	return s
}

func (s *session) read(t *testing.T) counts {
	t.Helper()
	if !s.out.Scan() {
		t.Fatalf("the client said nothing: %v", s.out.Err())
	}
	var c counts
	if err := json.Unmarshal(s.out.Bytes(), &c); err != nil {
		t.Fatalf("read %q: %v", s.out.Text(), err)
	}
	return c
}

// until asks for the counts until they satisfy done.
func (s *session) until(t *testing.T, done func(counts) bool) counts {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if _, err := io.WriteString(s.in, "\n"); err != nil {
			t.Fatal(err)
		}
		c := s.read(t)
		if done(c) {
			return c
		}
		if time.Now().After(deadline) {
			t.Fatalf("not reached: %+v", c)
		}
	}
}

func (s *session) close(t *testing.T) counts {
	t.Helper()
	_ = s.in.Close()
	c := s.read(t)
	if err := <-s.ended; err != nil {
		t.Fatalf("run: %v", err)
	}
	return c
}

func TestGoodApplicationHasNoFailures(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Request-Id"); id != "" {
			mu.Lock()
			got[id]++
			mu.Unlock()
		}
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()

	ids := filepath.Join(t.TempDir(), "ids")
	s := open(t, server.Listener.Addr().String(), ids)
	s.until(t, func(c counts) bool { return c.Requests > 100 })
	c := s.close(t)
	if c.Failures != 0 {
		t.Fatalf("failures: %+v", c)
	}
	sent, err := os.ReadFile(ids)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(sent))
	if len(lines) != c.Posts || len(got) != c.Posts {
		t.Fatalf("posts %d, ids on record %d, ids received %d", c.Posts, len(lines), len(got))
	}
	for _, id := range lines {
		if got[id] != 1 {
			t.Errorf("id %s arrived %d times", id, got[id])
		}
	}
}

func TestFailuresAreCounted(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"server error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"reset": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.(*net.TCPConn).SetLinger(0)
				_ = conn.Close()
			}
		},
		"cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("half"))
		},
		"other's echo": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("something else")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(handler)
			defer server.Close()
			s := open(t, server.Listener.Addr().String(), "")
			c := s.until(t, func(c counts) bool { return c.Failures >= 10 })
			if c.Failure == "" {
				t.Error("the last failure has no text")
			}
			s.close(t)
		})
	}
}

func TestKeptConnectionClosedByTheServerIsAFailure(t *testing.T) {
	t.Parallel()
	// Go's Transport would repeat the GET silently.
	var connections sync.Map
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, again := connections.LoadOrStore(r.RemoteAddr, true); again {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
			return
		}
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	s := open(t, server.Listener.Addr().String(), "")
	c := s.until(t, func(c counts) bool { return c.Failures > 0 })
	if !strings.Contains(c.Failure, "kept") {
		t.Errorf("failure %q is not of a kept connection", c.Failure)
	}
	s.close(t)
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.Listener.Addr().String()
	server.Close()
	s := open(t, address, "")
	s.until(t, func(c counts) bool { return c.Failures >= 4 && c.Failures == c.Requests })
	s.close(t)
}

func TestAddressIsNeeded(t *testing.T) {
	t.Parallel()
	if err := run("", "", strings.NewReader(""), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "-address") {
		t.Fatalf("run without address: %v", err)
	}
}
