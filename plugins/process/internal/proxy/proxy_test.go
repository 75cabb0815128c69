package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/apm-deploy/apm/plugins/process/internal/instance"
	"github.com/apm-deploy/apm/plugins/process/internal/proxy"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type bed struct {
	t      *testing.T
	listen string
	sw     proxy.Switch
	front  *proxy.Front
	client *http.Client
}

func newBed(t *testing.T) *bed {
	t.Helper()
	port, err := instance.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{t: t, listen: fmt.Sprintf("127.0.0.1:%d", port), client: &http.Client{Transport: &http.Transport{}}}
	if b.front, err = proxy.Listen(b.listen, &b.sw); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		b.front.Close(ctx)
	})
	return b
}

// group has one instance behind the bed's address.
func (b *bed) group(handler http.HandlerFunc) (*proxy.Group, *httptest.Server) {
	server := httptest.NewServer(handler)
	b.t.Cleanup(server.Close)
	g := proxy.NewGroup([]proxy.Port{{Name: "http", Listen: b.listen, Protocol: release.HTTP}})
	g.Set("1", map[string]string{"http": server.Listener.Addr().String()})
	return g, server
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func (b *bed) get() (int, string) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+b.listen, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if again := response.Header.Get("Retry-After"); (response.StatusCode == http.StatusServiceUnavailable) != (again != "") {
		b.t.Errorf("status %d with Retry-After %q", response.StatusCode, again)
	}
	return response.StatusCode, string(body)
}

func TestShareIsExact(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	old, _ := b.group(says("old"))
	fresh, _ := b.group(says("new"))
	for percent, tens := range map[int]int{0: 1, 1: 10, 10: 1, 25: 10, 50: 1, 90: 1, 100: 1} {
		b.sw.Set(old, fresh, percent)
		count := 0
		for range 10 * tens {
			if _, body := b.get(); body == "new" {
				count++
			}
		}
		if want := percent * tens / 10; count != want {
			t.Errorf("%d %%: %d of %d, want %d", percent, count, 10*tens, want)
		}
	}
}

func TestNobodyServes(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	if status, _ := b.get(); status != http.StatusServiceUnavailable {
		t.Errorf("without a release: %d", status)
	}
	g, _ := b.group(says("up"))
	b.sw.Set(nil, g, 0)
	if status, _ := b.get(); status != http.StatusServiceUnavailable {
		t.Errorf("before the first Promote: %d", status)
	}
	b.sw.Set(g, nil, 0)
	g.Set("1", nil)
	if status, body := b.get(); status != http.StatusServiceUnavailable || !strings.Contains(body, "no instance") {
		t.Errorf("without an instance: %d %s", status, body)
	}
}

func TestAReleaseThatIsDownPassesItsTurnOn(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	old, _ := b.group(says("old"))
	fresh, _ := b.group(says("new"))
	b.sw.Set(old, fresh, 50)
	fresh.Set("1", nil)
	for range 10 {
		if status, body := b.get(); status != 200 || body != "old" {
			t.Fatalf("%d %s", status, body)
		}
	}
}

// TestARequestIsSentOnce has an instance hang up on a request: the client is
// told, and nobody gets the request a second time.
func TestARequestIsSentOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	var seen atomic.Int64
	g, _ := b.group(func(http.ResponseWriter, *http.Request) {
		seen.Add(1)
		panic(http.ErrAbortHandler)
	})
	b.sw.Set(g, nil, 0)
	if status, _ := b.get(); status != http.StatusBadGateway {
		t.Errorf("status %d, want 502", status)
	}
	if seen.Load() != 1 {
		t.Errorf("the instance saw it %d times", seen.Load())
	}
}

func TestAnInstanceThatRefusesIsPassedOver(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	g, _ := b.group(says("up"))
	port, err := instance.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	g.Set("0", map[string]string{"http": fmt.Sprintf("127.0.0.1:%d", port)})
	b.sw.Set(g, nil, 0)
	for range 10 {
		if status, body := b.get(); status != 200 || body != "up" {
			t.Fatalf("%d %s", status, body)
		}
	}
}

func TestDrainWaitsForRequests(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	old, _ := b.group(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		_, _ = io.WriteString(w, "old")
	})
	fresh, _ := b.group(says("new"))
	b.sw.Set(old, nil, 0)
	answer := make(chan string, 1)
	go func() {
		_, body := b.get()
		answer <- body
	}()
	<-entered
	b.sw.Set(fresh, nil, 0)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if left := old.Drained(short); left != 1 {
		t.Errorf("%d requests under way, want 1", left)
	}
	if _, body := b.get(); body != "new" {
		t.Errorf("a new request got %q", body)
	}
	close(leave)
	if left := old.Drained(t.Context()); left != 0 {
		t.Errorf("%d requests are left", left)
	}
	if body := <-answer; body != "old" {
		t.Errorf("the old request got %q", body)
	}
}

func TestUpgradedConnectionsPass(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	g, _ := b.group(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		fmt.Fprint(rw, "echo "+line)
		_ = rw.Flush()
	})
	b.sw.Set(g, nil, 0)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", b.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%+v %v", response, err)
	}
	defer response.Body.Close()
	fmt.Fprint(conn, "hello\n")
	if line, err := in.ReadString('\n'); err != nil || line != "echo hello\n" {
		t.Errorf("%q %v", line, err)
	}
}

func TestForwardedHeaders(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	g, _ := b.group(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Host, " ", r.Header.Get("X-Forwarded-For"), " ", r.URL)
	})
	b.sw.Set(g, nil, 0)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+b.listen+"/a%2Fb?q=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "shop.example"
	response, err := b.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != "shop.example 127.0.0.1 /a%2Fb?q=1" {
		t.Errorf("%q %v", body, err)
	}
}
