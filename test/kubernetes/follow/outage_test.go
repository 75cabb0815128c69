package follow_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/test/testbed"
)

// watched is the newest picture of a watch that goes on in the background.
type watched struct {
	pictures chan picture.Picture
}

func watch(t *testing.T, f *follow.Follower, s follow.Subject) *watched {
	t.Helper()
	w := &watched{pictures: make(chan picture.Picture, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- f.Watch(ctx, s, 0, func(p picture.Picture) error {
			w.pictures <- p
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the watch ended with %v", err)
		}
	})
	return w
}

// until takes pictures until one is as wanted.
func (w *watched) until(t *testing.T, what string, why func(picture.Picture) string) picture.Picture {
	t.Helper()
	reason := "no picture"
	var last picture.Picture
	for deadline := time.After(patience); ; {
		select {
		case last = <-w.pictures:
			if reason = why(last); reason == "" {
				return last
			}
		case <-deadline:
			t.Fatalf("%s: %s\n%s", what, reason, show(last))
		}
	}
}

func blind(with string) func(picture.Picture) string {
	return func(p picture.Picture) string {
		for _, why := range p.Blind {
			if strings.Contains(why, with) {
				return ""
			}
		}
		return fmt.Sprintf("blind for %q", p.Blind)
	}
}

func seeing(next func(picture.Picture) string) func(picture.Picture) string {
	return func(p picture.Picture) string {
		if len(p.Blind) > 0 {
			return fmt.Sprintf("blind for %q", p.Blind)
		}
		return next(p)
	}
}

// TestOutages goes on after the API server was frozen, killed and started anew, and says
// meanwhile that it sees nothing.
func TestOutages(t *testing.T) {
	t.Parallel()
	c := testbed.Isolated(t)
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{Patience: 2 * time.Second})
	s := subject(ns, "apps/v1", "Deployment", "web")
	c.Apply(t, ns, deployment("web", c.Image("v1"), 2))
	w := watch(t, f, s)
	w.until(t, "v1 runs", seeing(readyOf(2, c.Image("v1"))))

	c.Freeze(t, testbed.APIServer)
	w.until(t, "it is frozen", blind("has not answered since"))
	if p, err := f.Picture(t.Context(), s); err != nil || blind("no answer within 2s")(p) != "" || len(p.Workloads) != 1 {
		t.Errorf("a picture of a frozen cluster: %v %s", err, show(p))
	}
	c.Thaw(t, testbed.APIServer)
	w.until(t, "it is thawed", seeing(readyOf(2, c.Image("v1"))))
	c.Kubectl(t, "set", "image", "deployment/web", "-n", ns, "app="+c.Image("v2"))
	w.until(t, "v2 runs", seeing(readyOf(2, c.Image("v2"))))

	// The rollout goes on while the watches are not there.
	c.Kubectl(t, "set", "image", "deployment/web", "-n", ns, "app="+c.Image("v3"))
	c.Kill(t, testbed.APIServer)
	w.until(t, "it is down", blind("has not answered since"))
	// Whoever has never looked is told so as well.
	if p, err := f.Picture(t.Context(), subject(ns, "apps/v1", "StatefulSet", "db")); err != nil || blind("statefulsets in "+ns)(p) != "" {
		t.Errorf("a picture of a cluster that is down: %v %s", err, show(p))
	}
	c.Start(t, testbed.APIServer)
	w.until(t, "v3 runs", seeing(readyOf(2, c.Image("v3"))))
	// What is not gone was read anew, what came after is told.
	c.Kubectl(t, "scale", "deployment/web", "-n", ns, "--replicas=1")
	w.until(t, "one is left", seeing(readyOf(1, c.Image("v3"))))
}

// TestTooOld cuts all watches, and lets the API server refuse their resourceVersion.
func TestTooOld(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	f, a := follower(t, c.Kubeconfig(), follow.Options{})
	s := subject(ns, "apps/v1", "Deployment", "web")
	gone := subject(ns, "apps/v1", "Deployment", "gone")
	c.Apply(t, ns, deployment("web", c.Image("v1"), 2)+"---"+deployment("gone", c.Image("v1"), 1))
	w, other := watch(t, f, s), watch(t, f, gone)
	w.until(t, "v1 runs", readyOf(2, c.Image("v1")))
	other.until(t, "the other runs", readyOf(1, c.Image("v1")))

	release := a.cut()
	c.Kubectl(t, "set", "image", "deployment/web", "-n", ns, "app="+c.Image("v2"))
	c.Kubectl(t, "rollout", "status", "deployment/web", "-n", ns, "--timeout=60s")
	c.Kubectl(t, "delete", "deployment/gone", "-n", ns, "--wait", "--cascade=foreground")
	release()
	w.until(t, "v2 runs", readyOf(2, c.Image("v2")))
	other.until(t, "the other is gone", func(p picture.Picture) string {
		if len(p.Workloads) > 0 {
			return "it is there"
		}
		return ""
	})
	a.mu.Lock()
	tooOld := a.tooOld
	a.mu.Unlock()
	if tooOld == 0 {
		t.Error("no watch asked for a version that is too old")
	}
	c.Kubectl(t, "scale", "deployment/web", "-n", ns, "--replicas=1")
	w.until(t, "one is left", seeing(readyOf(1, c.Image("v2"))))
}
