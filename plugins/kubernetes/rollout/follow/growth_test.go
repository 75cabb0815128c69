package follow_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
)

// perDeployment is how many bytes one followed Deployment may keep, with two revisions, a
// pod and its events.
const perDeployment = 5 << 10

// TestGrowth follows ten Deployments and a thousand: as many requests, and little memory for each.
func TestGrowth(t *testing.T) {
	c := newCluster(t)
	f := c.follower(t, follow.Options{})
	name := func(i int) string { return fmt.Sprintf("web-%d", i) }
	followed := []*follow.Following{}
	add := func(from, to int) {
		for i := from; i < to; i++ {
			c.put(large(name(i))...)
		}
	}
	look := func(from, to int) {
		for i := from; i < to; i++ {
			g, err := f.Follow(subject("apps/v1", "Deployment", name(i)))
			if err != nil {
				t.Fatal(err)
			}
			followed = append(followed, g)
			eventually(t, "its pod is seen", func() error {
				p, err := g.Picture(t.Context())
				return only(err != nil || len(p.Workloads) != 1 || len(p.Workloads[0].Pods) != 1 || len(p.Workloads[0].Pods[0].Events) != 1, fmt.Sprint(p, err))
			})
		}
	}
	add(0, 1010)
	look(0, 10)
	c.watched(t, 4)
	// What the test itself holds must not count.
	requests, before := f.Requests(), heap()
	look(10, 1010)
	after := f.Requests()
	after.Get = requests.Get // whether it answers is asked by time
	if after != requests {
		t.Errorf("%+v requests for ten, %+v for a thousand", requests, after)
	}
	eventually(t, "what was made to look is let go", func() error {
		grown := (heap() - before) / 1000
		return only(grown > 2<<10, fmt.Sprintf("a Deployment that is followed needs %d bytes more", grown))
	})
	for _, source := range f.Sources() {
		if source.Users != 1010 {
			t.Errorf("%+v", source)
		}
	}

	// A second follower reads all of it: what the objects themselves need.
	before = heap()
	second := c.follower(t, follow.Options{})
	g, err := second.Follow(subject("apps/v1", "Deployment", name(0)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Picture(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept := 0
	eventually(t, "what was read to make records is let go", func() error {
		kept = (heap() - before) / 1010
		return only(kept > perDeployment, fmt.Sprintf("%d bytes are kept of each, more than %d", kept, perDeployment))
	})
	t.Logf("%d bytes are kept of a Deployment with two revisions, a pod and 7 events", kept)
	runtime.KeepAlive(followed)
}

// large is a Deployment as people write them, with what clients and controllers add.
func large(name string) []metav1.Object {
	d := deployment(name, "registry.example.com/team/"+name+":v1", "2")
	d.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", FieldsV1: metav1.NewFieldsV1(string(make4k()))}}
	d.Annotations["kubectl.kubernetes.io/last-applied-configuration"] = string(make4k())
	older := replicaSet(name, name+"-1", "registry.example.com/team/"+name+":v0", "1")
	newer := replicaSet(name, name+"-2", "registry.example.com/team/"+name+":v1", "2")
	p := pod("ReplicaSet", name+"-2", name+"-2-a", "registry.example.com/team/"+name+":v1")
	p.ManagedFields = d.ManagedFields
	for i := range 30 {
		p.Spec.Containers[0].Env = append(p.Spec.Containers[0].Env, corev1.EnvVar{Name: fmt.Sprintf("KEY_%d", i), Value: "a value of some length"})
	}
	p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("64Mi")}
	p.Spec.Containers[0].Resources.Limits = p.Spec.Containers[0].Resources.Requests
	objects := []metav1.Object{d, older, newer, p, warning(name+"-unhealthy", "Pod", name+"-2-a", "Unhealthy", time.Second)}
	for _, reason := range []string{"Scheduled", "Pulling", "Pulled", "Created", "Started", "SuccessfulCreate"} {
		e := warning(name+"-"+reason, "Pod", name+"-2-a", reason, 0)
		e.Type = corev1.EventTypeNormal
		objects = append(objects, e)
	}
	return objects
}

func make4k() []byte {
	made := []byte(`{"f:spec":"`)
	for len(made) < 4<<10 {
		made = append(made, 'x')
	}
	return append(made, `"}`...)
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}
