package follow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/test/testbed"
)

// TestDeployment follows one from its first revision to the second, with its Service.
func TestDeployment(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	f, _ := follower(t, c.Kubeconfig(), follow.Options{})
	s := subject(ns, "apps/v1", "Deployment", "web")
	s.Services = []picture.Ref{{Namespace: ns, Name: "web"}}

	p, err := f.Picture(t.Context(), s)
	if err != nil || len(p.Workloads) != 0 || len(p.Blind) != 0 {
		t.Fatalf("before anything is there: %v %s", err, show(p))
	}
	if len(p.Missing) != 1 || p.Missing[0].Object.Kind != "Service" {
		t.Errorf("the Service is not missing: %v", p.Missing)
	}
	c.Apply(t, ns, deployment("web", c.Image("v1"), 2)+fmt.Sprintf(service, "web"))
	first := until(t, f, s, "v1 runs", readyOf(2, c.Image("v1")))
	w := first.Workloads[0]
	if w.Desired != 2 || w.Revision != "1" || len(w.Revisions) != 1 || !w.Revisions[0].Newest || w.UID == "" || w.ProgressDeadline != 10*time.Minute {
		t.Errorf("the workload is %+v", w)
	}
	pod := w.Pods[0]
	if pod.Revision != w.Revisions[0].Name || pod.Node == "" || pod.IP == "" || pod.Phase != "Running" || pod.Created.IsZero() {
		t.Errorf("the pod is %+v", pod)
	}
	if app := pod.Containers[0]; app.Name != "app" || !strings.Contains(app.ImageID, "sha256:") || app.State.Kind != "running" ||
		app.Requests["cpu"] != "1m" || app.Limits["memory"] != "64Mi" || app.Probes != (picture.Probes{Readiness: true}) {
		t.Errorf("the container is %+v", app)
	}
	endpointsAre := func(p picture.Picture) string {
		if len(p.Services) != 1 {
			return "no service"
		}
		var ready []string
		for _, e := range p.Services[0].Endpoints {
			if e.Ready {
				ready = append(ready, e.Pod)
			}
		}
		var pods []string
		for _, pod := range p.Workloads[0].Pods {
			pods = append(pods, pod.Name)
		}
		slices.Sort(ready)
		slices.Sort(pods)
		if !slices.Equal(ready, pods) {
			return fmt.Sprintf("endpoints %v of pods %v", ready, pods)
		}
		return ""
	}
	until(t, f, s, "the endpoints are the pods", endpointsAre)

	c.Kubectl(t, "set", "image", "deployment/web", "-n", ns, "app="+c.Image("v2"))
	second := until(t, f, s, "v2 runs", readyOf(2, c.Image("v2")))
	w = second.Workloads[0]
	if w.Revision != "2" || len(w.Revisions) != 2 || w.Revisions[0].Number != "2" || !w.Revisions[0].Newest || w.Revisions[1].Newest {
		t.Errorf("the revisions are %+v", w.Revisions)
	}
	until(t, f, s, "the endpoints are the new pods", endpointsAre)

	// A template that is back is its old revision with a new number.
	c.Kubectl(t, "rollout", "undo", "deployment/web", "-n", ns)
	w = until(t, f, s, "v1 runs again", readyOf(2, c.Image("v1"))).Workloads[0]
	if w.Revisions[0].Number != "3" || w.Revisions[0].Name != first.Workloads[0].Revisions[0].Name {
		t.Errorf("the revisions are %+v", w.Revisions)
	}

	// While it is paused no revision is what the template asks for.
	c.Kubectl(t, "rollout", "pause", "deployment/web", "-n", ns)
	c.Kubectl(t, "set", "image", "deployment/web", "-n", ns, "app="+c.Image("v3"))
	until(t, f, s, "it is paused before v3", func(p picture.Picture) string {
		w, why := one(p)
		if why != "" || !w.Paused {
			return "not paused: " + why
		}
		for _, r := range w.Revisions {
			if r.Newest {
				return r.Name + " is called the newest"
			}
		}
		return ""
	})

	c.Kubectl(t, "delete", "deployment/web", "-n", ns)
	until(t, f, s, "it is gone", func(p picture.Picture) string {
		if len(p.Workloads) > 0 {
			return "it is there"
		}
		return ""
	})
}

// TestShared follows many components with one watch of each kind.
func TestShared(t *testing.T) {
	t.Parallel()
	c := testbed.Kubernetes(t)
	ns := c.Namespace(t)
	f, a := follower(t, c.Kubeconfig(), follow.Options{Linger: 200 * time.Millisecond})
	const many = 20
	var manifests strings.Builder
	for i := range many {
		manifests.WriteString("---" + deployment(fmt.Sprintf("web-%d", i), c.Image("v1"), 0))
	}
	c.Apply(t, ns, manifests.String())
	var all []*follow.Following
	for i := range many {
		g, err := f.Follow(subject(ns, "apps/v1", "Deployment", fmt.Sprintf("web-%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
		if p, err := g.Picture(t.Context()); err != nil || len(p.Workloads) != 1 || len(p.Blind) > 0 {
			t.Fatalf("picture %d: %v %s", i, err, show(p))
		}
	}
	requests, open := a.counts()
	for i, g := range all {
		testbed.Eventually(t, patience, fmt.Sprintf("web-%d is rolled out", i), func() error {
			p, err := g.Picture(t.Context())
			if err != nil {
				return err
			}
			if w, why := one(p); why != "" || len(w.Revisions) != 1 || len(w.Conditions) < 2 {
				return fmt.Errorf("%s %s", why, show(p))
			}
			return nil
		})
	}
	for path, n := range open {
		if n != 1 {
			t.Errorf("%s is watched %d times", path, n)
		}
	}
	a.mu.Lock()
	if len(a.json) > 0 {
		t.Errorf("watched as JSON: %v", a.json)
	}
	a.mu.Unlock()
	if len(open) != 4 || requests > 8 {
		t.Errorf("%d requests; watched: %v", requests, open)
	}
	// A change of one wakes that one alone.
	for _, g := range all {
		drain(g)
	}
	c.Kubectl(t, "annotate", "deployment/web-7", "-n", ns, "note=changed")
	select {
	case <-all[7].Changed():
	case <-time.After(patience):
		t.Fatal("the change of one was not told")
	}
	for i, g := range all {
		if i != 7 && drain(g) {
			t.Errorf("%d is woken by a change of 7", i)
		}
	}
	for _, g := range all {
		g.Close()
	}
	testbed.Eventually(t, patience, "the watches end", func() error {
		if open := f.Sources(); len(open) > 0 {
			return fmt.Errorf("%+v", open)
		}
		return nil
	})
}

// drain says whether something had changed.
func drain(g *follow.Following) bool {
	select {
	case <-g.Changed():
		return true
	default:
		return false
	}
}
