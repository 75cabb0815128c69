package platform_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// TestSwapsLoseNothing keeps clients that never retry busy over many swaps: no
// request fails and every POST arrives exactly once.
func TestSwapsLoseNothing(t *testing.T) {
	t.Parallel()
	const swaps, clients = 20, 6
	b := newBed(t)
	posts := filepath.Join(t.TempDir(), "posts")
	args := func(version string) spec {
		s := b.app("version="+version, "posts="+posts)
		s["replicas"] = 2
		return s
	}
	b.settled("v0", args("v0"))

	stop := make(chan struct{})
	var sent, failed atomic.Int64
	var mu sync.Mutex
	var want []string
	var problems []string
	var wg sync.WaitGroup
	for n := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := &client{address: b.public, fresh: n%3 == 2}
			defer c.close()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				method, body := http.MethodGet, ""
				if n%2 == 0 {
					method, body = http.MethodPost, fmt.Sprintf("%d-%d", n, i)
				}
				sent.Add(1)
				err := c.do(method, body)
				mu.Lock()
				if err != nil {
					failed.Add(1)
					problems = append(problems, err.Error())
				} else if body != "" {
					want = append(want, body)
				}
				mu.Unlock()
			}
		}()
	}
	for n := range swaps {
		version := fmt.Sprintf("v%d", n+1)
		w := b.deploy(version, args(version), true)
		w.candidate(0)
		w.promote(50)
		w.candidate(50)
		w.promote(100)
		if o := w.outcome(); o.Result != sdk.ResultSucceeded {
			t.Errorf("swap %d: %+v", n, o)
		}
	}
	close(stop)
	wg.Wait()
	if failed.Load() != 0 {
		t.Errorf("%d of %d requests failed: %v", failed.Load(), sent.Load(), problems[:min(5, len(problems))])
	}
	if sent.Load() < 1000 {
		t.Errorf("only %d requests were sent: the test says nothing", sent.Load())
	}
	data, err := os.ReadFile(posts)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, line := range strings.Fields(string(data)) {
		got[line]++
	}
	for _, body := range want {
		if got[body] != 1 {
			t.Errorf("POST %s arrived %d times", body, got[body])
		}
	}
	t.Logf("%d requests over %d swaps", sent.Load(), swaps)
}

// client speaks HTTP by hand: net/http would send some requests again.
type client struct {
	address string
	fresh   bool // a connection per request
	conn    net.Conn
	in      *bufio.Reader
}

func (c *client) do(method, body string) error {
	if c.conn == nil {
		conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(context.Background(), "tcp", c.address)
		if err != nil {
			return err
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	if c.fresh {
		defer c.close()
	}
	if err := c.conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.conn, "%s / HTTP/1.1\r\nHost: shop\r\nContent-Length: %d\r\n\r\n%s", method, len(body), body); err != nil {
		c.close()
		return err
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.close()
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		c.close()
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}
