package follow_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// TestExpired reads all anew when the API server does not know the version of a watch any
// more: what came, changed and went meanwhile is in the next picture.
func TestExpired(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.put(deployment("web", "app:1", "1"), replicaSet("web", "web-1", "app:1", "1"), pod("ReplicaSet", "web-1", "a", "app:1"))
	f := c.follower(t, follow.Options{})
	s := subject("apps/v1", "Deployment", "web")
	g, err := f.Follow(s)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if w := take(t, f, s).Workloads[0]; len(w.Pods) != 1 || w.Pods[0].Name != "a" {
		t.Fatalf("before: %+v", w)
	}
	c.watched(t, 4)
	lists := c.asked("list")
	c.quietly(func() {
		c.remove(pod("ReplicaSet", "web-1", "a", "app:1"))
		c.put(pod("ReplicaSet", "web-1", "b", "app:1"))
		changed := deployment("web", "app:1", "1")
		changed.Status.ReadyReplicas = 1
		c.put(changed)
	})
	c.expire()
	w := until(t, f, s, "all is read anew", func(p picture.Picture) string {
		if w := p.Workloads[0]; w.Ready != 1 || len(w.Pods) != 1 || w.Pods[0].Name != "b" || len(p.Blind) > 0 {
			return "not yet"
		}
		return ""
	}).Workloads[0]
	if len(w.Revisions) != 1 {
		t.Errorf("after: %+v", w)
	}
	if c.asked("list") == lists {
		t.Error("nothing was listed anew")
	}
	c.watched(t, 4)
	c.remove(deployment("web", "app:1", "1"))
	until(t, f, s, "it is gone", func(p picture.Picture) string {
		if len(p.Workloads) > 0 {
			return "it is there"
		}
		return ""
	})
}

// TestForbidden is blind for what may not be read, and for nothing else.
func TestForbidden(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.put(deployment("web", "app:1", "1"), replicaSet("web", "web-1", "app:1", "1"))
	no := refuse(http.StatusForbidden, metav1.StatusReasonForbidden, "events is forbidden: nobody said yes")
	c.answer("/api/v1/namespaces/shop/events", no)
	c.answer("watch /apis/apps/v1/namespaces/shop/replicasets", no)
	c.answer("/livez", no) // an answer all the same
	f := c.follower(t, follow.Options{})
	s := subject("apps/v1", "Deployment", "web")
	p := until(t, f, s, "it is blind for two kinds", func(p picture.Picture) string {
		if len(p.Blind) != 2 {
			return fmt.Sprintf("%q", p.Blind)
		}
		return ""
	})
	if p.Blind[0] != "list events in shop: events is forbidden: nobody said yes" || !strings.HasPrefix(p.Blind[1], "watch replicasets in shop: ") {
		t.Errorf("blind for %q", p.Blind)
	}
	if len(p.Workloads) != 1 || len(p.Workloads[0].Revisions) != 1 {
		t.Errorf("the picture is %+v", p)
	}
	c.answer("/api/v1/namespaces/shop/events", nil)
	c.answer("watch /apis/apps/v1/namespaces/shop/replicasets", nil)
	until(t, f, s, "it sees", func(p picture.Picture) string { return strings.Join(p.Blind, "; ") })
}

// TestSilent is an API server from which nothing comes, on connections that stay open.
func TestSilent(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(http.ResponseWriter, *http.Request){
		"no answer within 2s": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"etcd failed":         refuse(http.StatusInternalServerError, metav1.StatusReasonInternalError, "etcd failed"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			c.put(deployment("web", "app:1", "1"))
			f := c.follower(t, follow.Options{Patience: 2 * time.Second})
			s := subject("apps/v1", "Deployment", "web")
			if p := take(t, f, s); len(p.Blind) > 0 || len(p.Workloads) != 1 {
				t.Fatalf("before: %+v", p)
			}
			c.answer("/livez", handler)
			until(t, f, s, "it is blind", func(p picture.Picture) string {
				if len(p.Blind) != 1 || !strings.Contains(p.Blind[0], "has not answered since") || !strings.Contains(p.Blind[0], name) {
					return fmt.Sprintf("%q", p.Blind)
				}
				return ""
			})
			c.answer("/livez", nil)
			until(t, f, s, "it sees", func(p picture.Picture) string { return strings.Join(p.Blind, "; ") })
		})
	}
}

// TestNobodyThere is a cluster that was never reached.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.server.Close()
	f := c.follower(t, follow.Options{})
	p := take(t, f, subject("apps/v1", "Deployment", "web"))
	if len(p.Workloads) != 0 || len(p.Blind) != 5 || !strings.Contains(p.Blind[0], "the API server at "+c.server.URL+" has not answered since") {
		t.Errorf("the picture is %+v", p)
	}
	for _, why := range p.Blind[1:] {
		if !strings.Contains(why, "connection refused") || !strings.Contains(why, " in shop: ") {
			t.Errorf("blind for %q", why)
		}
	}
}

// TestSlow is a kind that is never listed: the rest is shown when patience ends.
func TestSlow(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.put(deployment("web", "app:1", "1"))
	c.answer("/api/v1/namespaces/shop/pods", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	f := c.follower(t, follow.Options{Patience: 2 * time.Second})
	p := take(t, f, subject("apps/v1", "Deployment", "web"))
	if len(p.Workloads) != 1 || len(p.Blind) != 1 || p.Blind[0] != "list pods in shop: no answer within 2s" {
		t.Errorf("the picture is %+v", p)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Picture(ctx, subject("apps/v1", "Deployment", "web")); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// TestLinger keeps watches that nobody uses for a while.
func TestLinger(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	f := c.follower(t, follow.Options{Linger: time.Second})
	s := subject("apps/v1", "Deployment", "web")
	take(t, f, s)
	lists := c.asked("list")
	take(t, f, s)
	if again := c.asked("list"); again != lists || lists != 4 {
		t.Errorf("%d lists for the first picture, %d for the second", lists, again-lists)
	}
	if open := f.Sources(); len(open) != 4 || open[0].Users != 0 || open[0].Namespace != "shop" || open[0].Resource != "deployments" || !open[0].Synced {
		t.Errorf("the sources are %+v", open)
	}
	eventually(t, "they end", func() error {
		if open := f.Sources(); len(open) != 0 {
			return fmt.Errorf("%+v", open)
		}
		return nil
	})
	c.watched(t, 0)
	if take(t, f, s); c.asked("list") != 8 {
		t.Errorf("%d lists", c.asked("list"))
	}
}

// TestClose ends what goes on.
func TestClose(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	f := c.follower(t, follow.Options{})
	s := subject("apps/v1", "Deployment", "web")
	shown, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- f.Watch(context.WithoutCancel(t.Context()), s, 0, func(picture.Picture) error { close(shown); return nil })
	}()
	<-shown
	f.Close()
	if err := <-done; !errors.Is(err, follow.ErrClosed) {
		t.Errorf("the watch ended with %v", err)
	}
	if _, err := f.Picture(t.Context(), s); !errors.Is(err, follow.ErrClosed) {
		t.Errorf("a picture after it: %v", err)
	}
	if err := f.Logs(t.Context(), s, follow.LogOptions{Follow: true}, nil); !errors.Is(err, follow.ErrClosed) {
		t.Errorf("logs after it: %v", err)
	}
	c.watched(t, 0)
}

// TestEvery shows pictures though nothing changes.
func TestEvery(t *testing.T) {
	t.Parallel()
	f := newCluster(t).follower(t, follow.Options{})
	enough, shown := errors.New("enough"), 0
	err := f.Watch(t.Context(), subject("apps/v1", "Deployment", "web"), 50*time.Millisecond, func(picture.Picture) error {
		if shown++; shown == 4 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Error(err)
	}
}

// TestSubject refuses what names nothing, and a config that no client can be made of.
func TestSubject(t *testing.T) {
	t.Parallel()
	f := newCluster(t).follower(t, follow.Options{})
	for name, s := range map[string]follow.Subject{
		"no workload": {},
		`workload 1 of the subject: apiVersion "v1", kind "" and name ""`: {Workloads: []picture.Ref{
			{APIVersion: "v1", Kind: "Pod", Name: "a"}, {APIVersion: "v1"},
		}},
		"service 0 of the subject has no name": {Services: []picture.Ref{{Namespace: "shop"}}},
	} {
		if _, err := f.Picture(t.Context(), s); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	config := &rest.Config{Host: "https://127.0.0.1:1", TLSClientConfig: rest.TLSClientConfig{CAFile: "/nowhere"}}
	if _, err := follow.New(config, follow.Options{}); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("a config without its file: %v", err)
	}
}
