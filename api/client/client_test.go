package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/api/client"
	v1 "github.com/apm-deploy/apm/api/v1"
)

// ok ends the test on an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ask returns a client of a host that answers so.
func ask(t *testing.T, handler http.HandlerFunc) *client.Client {
	t.Helper()
	host := httptest.NewServer(handler)
	t.Cleanup(host.Close)
	c, err := client.New(client.Config{URL: host.URL + "/", Token: "apm_1.secret"})
	ok(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestNewRefusesABadURL(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"localhost:8080", "ftp://x", "http://", "://", "http://[::1"} {
		if _, err := client.New(client.Config{URL: bad}); err == nil || !strings.Contains(err.Error(), "want http://HOST:PORT") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestStartIsRepeatedWithItsKey: the first two connections break before the
// answer; the host sees one key.
func TestStartIsRepeatedWithItsKey(t *testing.T) {
	t.Parallel()
	keys := make(chan string, 10)
	var calls atomic.Int64
	c := ask(t, func(w http.ResponseWriter, r *http.Request) {
		keys <- r.Header.Get("Idempotency-Key") + " " + r.Header.Get("Authorization")
		if calls.Add(1) < 3 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(v1.Deployment{ID: "d1"})
	})
	d, err := c.Start(t.Context(), v1.StartRequest{Name: "a", Version: "1"}, "")
	ok(t, err)
	close(keys)
	seen := map[string]bool{}
	for key := range keys {
		seen[key] = true
		if !strings.HasSuffix(key, " Bearer apm_1.secret") || len(key) < 30 {
			t.Errorf("headers %q", key)
		}
	}
	if d.ID != "d1" || len(seen) != 1 {
		t.Errorf("deployment %+v, keys %v", d, seen)
	}
}

// TestEveryWishIsRepeatedWithItsKey: rollback, cancel and removal too are one
// request to the host, however often the connection breaks.
func TestEveryWishIsRepeatedWithItsKey(t *testing.T) {
	t.Parallel()
	for name, wish := range map[string]func(c *client.Client, key string) error{
		"rollback": func(c *client.Client, key string) error {
			_, err := c.Rollback(t.Context(), "d1", v1.RollbackRequest{}, key)
			return err
		},
		"cancel": func(c *client.Client, key string) error { _, err := c.Cancel(t.Context(), "d1", "", key); return err },
		"remove": func(c *client.Client, key string) error {
			_, err := c.Remove(t.Context(), "shop", "production", v1.RemoveRequest{}, key)
			return err
		},
	} {
		for _, given := range []string{"", "mine"} {
			t.Run(name+" "+given, func(t *testing.T) {
				t.Parallel()
				var mu sync.Mutex
				keys := map[string]int{}
				c := ask(t, func(w http.ResponseWriter, r *http.Request) {
					mu.Lock()
					defer mu.Unlock()
					if keys[r.Header.Get("Idempotency-Key")]++; keys[r.Header.Get("Idempotency-Key")] < 3 {
						panic(http.ErrAbortHandler)
					}
					_, _ = io.WriteString(w, `{"id":"d1"}`)
				})
				ok(t, wish(c, given))
				mu.Lock()
				defer mu.Unlock()
				if len(keys) != 1 || keys[""] != 0 || given != "" && keys[given] != 3 {
					t.Errorf("keys %v", keys)
				}
			})
		}
	}
}

// TestAWishWithoutAKeyIsNotRepeated: nobody knows whether it was taken.
func TestAWishWithoutAKeyIsNotRepeated(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	c := ask(t, func(http.ResponseWriter, *http.Request) {
		calls.Add(1)
		panic(http.ErrAbortHandler)
	})
	if _, err := c.CreateToken(t.Context(), v1.TokenRequest{Name: "a", Role: "viewer"}); err == nil || calls.Load() != 1 {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
}

func TestProblem(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status      int
		contentType string
		body        string
		code, says  string
	}{
		"problem":    {422, "application/problem+json", `{"title":"T","status":422,"detail":"the application is not known","code":"invalid","remedy":"do this","errors":[{"location":"body.configuration.command","message":"is missing","remedy":"give it"}]}`, "invalid", "the application is not known; body.configuration.command: is missing; give it; do this"},
		"with file":  {422, "application/problem+json", `{"title":"T","status":422,"detail":"bad file","code":"invalid","errors":[{"file":"shop.hcl","line":3,"column":7,"message":"unknown block"}]}`, "invalid", "bad file; shop.hcl:3:7: unknown block"},
		"of a proxy": {502, "text/html", "<html>", "", "the host answered 502 Bad Gateway, and not as apm does; check that the address is that of a host, and what stands in between"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := ask(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			_, err := c.Get(t.Context(), "d1")
			p := client.AsProblem(err)
			if p == nil || p.Status != test.status || p.Code != test.code || p.Error() != test.says {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestNamesAreEscaped(t *testing.T) {
	t.Parallel()
	paths := make(chan string, 1)
	c := ask(t, func(w http.ResponseWriter, r *http.Request) {
		paths <- r.RequestURI
		_, _ = io.WriteString(w, "{}")
	})
	_, err := c.Target(t.Context(), "a/b c", "prod?")
	ok(t, err)
	if got := <-paths; got != "/api/v1/targets/a%2Fb%20c/prod%3F" {
		t.Errorf("path %s", got)
	}
}

func TestTokenFromFile(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	if _, err := client.TokenFromFile(directory); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	path := filepath.Join(directory, client.TokenFile)
	ok(t, os.WriteFile(path, []byte("apm_1.secret\n"), 0o600))
	if got, err := client.TokenFromFile(directory); err != nil || got != "apm_1.secret" {
		t.Errorf("%q, %v", got, err)
	}
	ok(t, os.Chmod(path, 0o640))
	_, err := client.TokenFromFile(directory)
	var permission *client.PermissionError
	if !errors.As(err, &permission) || !strings.Contains(err.Error(), "chmod 600 "+path) {
		t.Errorf("readable by others: %v", err)
	}
}

// script is a host whose WebSocket connections each play one scene.
func script(t *testing.T, scenes ...func(*websocket.Conn, *http.Request)) *client.Client {
	t.Helper()
	var connections atomic.Int64
	return ask(t, func(w http.ResponseWriter, r *http.Request) {
		n := int(connections.Add(1)) - 1
		if n >= len(scenes) {
			t.Errorf("connection %d: %s", n+1, r.URL)
			http.Error(w, "{}", http.StatusForbidden)
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.CloseNow() }()
		scenes[n](conn, r)
	})
}

// say sends rows with these numbers.
func say(conn *websocket.Conn, numbers ...uint64) {
	for _, n := range numbers {
		text, _ := json.Marshal(v1.Event{Type: "deployment.status", DeploymentID: "d1", Seq: n})
		_ = conn.Write(context.Background(), websocket.MessageText, text)
	}
}

// TestWatchResumesDropsRepeatsAndNoticesGaps plays a host that is cut, repeats
// itself, and leaves something out.
func TestWatchResumesDropsRepeatsAndNoticesGaps(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	query := func(r *http.Request) { asked <- r.URL.Query().Get("after") }
	c := script(t,
		func(conn *websocket.Conn, r *http.Request) { query(r); say(conn, 1, 2) }, // and is cut
		func(conn *websocket.Conn, r *http.Request) { query(r); say(conn, 2, 3, 3) },
		func(conn *websocket.Conn, r *http.Request) {
			query(r)
			say(conn, 4, 6) // 5 is missing
			_, _, _ = conn.Read(context.Background())
		},
		func(conn *websocket.Conn, r *http.Request) {
			query(r)
			say(conn, 5, 6)
			_, _, _ = conn.Read(context.Background())
		},
	)
	var got []uint64
	ok(t, c.Watch(t.Context(), "d1", 0, func(e v1.Event) error {
		got = append(got, e.Seq)
		if e.Seq == 6 {
			return client.ErrStop
		}
		return nil
	}))
	close(asked)
	if diff := cmp.Diff([]uint64{1, 2, 3, 4, 5, 6}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	var afters []string
	for after := range asked {
		afters = append(afters, after)
	}
	if diff := cmp.Diff([]string{"0", "2", "3", "4"}, afters); diff != "" {
		t.Errorf("asked after (-want +got):\n%s", diff)
	}
}

// TestWatchFromNowGoesOnFromTheSnapshot: a break before the first row loses
// nothing.
func TestWatchFromNowGoesOnFromTheSnapshot(t *testing.T) {
	t.Parallel()
	c := script(t,
		func(conn *websocket.Conn, r *http.Request) {
			if r.URL.Query().Has("after") {
				t.Errorf("asked %s", r.URL)
			}
			text, _ := json.Marshal(v1.Event{Type: "snapshot", Seq: 7, Ephemeral: true})
			_ = conn.Write(context.Background(), websocket.MessageText, text)
		},
		func(conn *websocket.Conn, r *http.Request) {
			if got := r.URL.Query().Get("after"); got != "7" {
				t.Errorf("asked after %s", got)
			}
			say(conn, 8)
			_, _, _ = conn.Read(context.Background())
		},
	)
	wanted := errors.New("seen enough")
	err := c.Watch(t.Context(), "d1", client.FromNow, func(e v1.Event) error {
		if e.Seq == 8 {
			return wanted
		}
		return nil
	})
	if !errors.Is(err, wanted) {
		t.Errorf("ended with %v", err)
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c := ask(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := c.Watch(ctx, "d1", 0, func(v1.Event) error { return fmt.Errorf("no event can come") })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended with %v", err)
	}
}

// lineEvent is a message with a line.
func lineEvent(component string, second int, text string) []byte {
	data, _ := json.Marshal(v1.LogLine{Component: component, Line: text, Time: time.Date(2026, 3, 1, 12, 0, second, 0, time.UTC)})
	event, _ := json.Marshal(v1.Event{Type: "log", DeploymentID: "d1", Ephemeral: true, Data: data})
	return event
}

// TestFollowLogsResumes plays a host that is cut, and tells the last seconds once
// more: two lines alike at the same time are two, one that was seen is one, and one
// that was late is not lost.
func TestFollowLogsResumes(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	tell := func(conn *websocket.Conn, r *http.Request, events ...[]byte) {
		asked <- r.URL.Path + " " + r.URL.Query().Get("tail") + " " + r.URL.Query().Get("since") + " " + r.URL.Query().Get("component")
		for _, e := range events {
			_ = conn.Write(context.Background(), websocket.MessageText, e)
		}
	}
	c := script(t,
		func(conn *websocket.Conn, r *http.Request) {
			tell(conn, r, lineEvent("web", 1, "a"), lineEvent("web", 9, "b"), lineEvent("db", 2, "x"))
		},
		func(conn *websocket.Conn, r *http.Request) {
			tell(conn, r, lineEvent("db", 2, "x"), lineEvent("db", 5, "late"), lineEvent("web", 9, "b"), lineEvent("web", 9, "b"), lineEvent("web", 9, "c"))
		},
		func(conn *websocket.Conn, r *http.Request) {
			tell(conn, r, lineEvent("db", 5, "late"), lineEvent("web", 9, "b"), lineEvent("web", 9, "b"), lineEvent("web", 9, "c"), lineEvent("web", 10, "end"))
			_, _, _ = conn.Read(context.Background())
		},
	)
	var got []string
	ok(t, c.FollowLogs(t.Context(), "d1", client.LogOptions{Component: "some", Tail: 7}, func(line v1.LogLine) error {
		got = append(got, line.Component+" "+line.Line)
		if line.Line == "end" {
			return client.ErrStop
		}
		return nil
	}))
	if diff := cmp.Diff([]string{"web a", "web b", "db x", "db late", "web b", "web c", "web end"}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	close(asked)
	var questions []string
	for q := range asked {
		questions = append(questions, q)
	}
	if diff := cmp.Diff([]string{"/ws/logs 7  some", "/ws/logs  2026-03-01T12:00:04Z some", "/ws/logs  2026-03-01T12:00:04Z some"}, questions); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}
