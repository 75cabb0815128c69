package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/api/client"
	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// brittle is a connection that breaks after so many bytes were read.
type brittle struct {
	net.Conn
	left int
}

func (b *brittle) Read(p []byte) (int, error) {
	if b.left <= 0 {
		_ = b.Conn.Close()
		return 0, errors.New("the line broke")
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// brittleClient returns a client whose connections break, each a little later
// than the one before, and how many there were.
func (h *host) brittleClient() (*client.Client, *atomic.Int64) {
	h.Helper()
	var connections atomic.Int64
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			var dialer net.Dialer
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &brittle{conn, 4000 + 1500*int(connections.Add(1))}, nil
		},
	}
	c, err := client.New(client.Config{URL: h.url, HTTP: &http.Client{Transport: transport}})
	ok(h.T, err)
	return c, &connections
}

// TestWatchIsExactlyTheTable: over connections that break in the middle of
// messages the watcher gets every row once and in order.
func TestWatchIsExactlyTheTable(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	d := h.accept("v1")
	const rows = 200
	c, connections := h.brittleClient()
	var got []uint64
	watched := make(chan error, 1)
	go func() {
		watched <- c.Watch(t.Context(), d.ID, 0, func(e v1.Event) error {
			if e.Ephemeral {
				return nil
			}
			got = append(got, e.Seq)
			if e.Seq == rows {
				return client.ErrStop
			}
			return nil
		})
	}()
	for d.Seq < rows {
		h.commit(d, note(strings.Repeat("x", 100)))
	}
	ok(t, <-watched)
	want := make([]uint64, rows)
	for i := range want {
		want[i] = uint64(i + 1)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("watched (-want +got):\n%s", diff)
	}
	if connections.Load() < 3 {
		t.Errorf("only %d connections: nothing broke", connections.Load())
	}
}

func TestWatchFeedIsExactlyTheTable(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	first := h.accept("v1")
	second, err := h.engine.Start(t.Context(), deployment.Request{Name: "other", Version: "v1", Environment: "production"}, nil, person, nil)
	ok(t, err)
	c, connections := h.brittleClient()
	begun, opened := make(chan struct{}), false
	var got []string
	watched := make(chan error, 1)
	go func() {
		watched <- c.WatchFeed(t.Context(), client.FeedOptions{}, func(e v1.Event) error {
			if e.Ephemeral {
				if !opened {
					close(begun)
					opened = true
				}
				return nil
			}
			got = append(got, fmt.Sprintf("%s %d", e.DeploymentID, e.Seq))
			if len(got) == 120 {
				return client.ErrStop
			}
			return nil
		})
	}()
	<-begun
	var want []string
	for range 60 {
		for _, d := range []*deployment.Deployment{first, second} {
			h.commit(d, note(strings.Repeat("x", 100)))
			want = append(want, fmt.Sprintf("%s %d", d.ID, d.Seq))
		}
	}
	ok(t, <-watched)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("feed (-want +got):\n%s", diff)
	}
	if connections.Load() < 3 {
		t.Errorf("only %d connections: nothing broke", connections.Load())
	}
}

func TestWatchEndsOnARefusal(t *testing.T) {
	t.Parallel()
	h := newHost(t, options{anonymous: true})
	never := func(v1.Event) error { return errors.New("there is nothing to see") }
	err := h.client("").Watch(t.Context(), "ffffffff-0000-0000-0000-000000000000", 0, never)
	if p := client.AsProblem(err); p == nil || p.Status != 404 || !strings.Contains(p.Detail, "no deployment") {
		t.Errorf("unknown id: %v", err)
	}
	err = h.client("apm_000000000000.x").WatchFeed(t.Context(), client.FeedOptions{}, never)
	if p := client.AsProblem(err); p == nil || p.Status != 401 || p.Code != "unauthorized" {
		t.Errorf("wrong token: %v", err)
	}
}
