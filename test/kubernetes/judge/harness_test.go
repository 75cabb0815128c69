// Package judge_test judges workloads of a real cluster, as package follow shows them.
package judge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/test/testbed"
)

// patience is how long something may take on a busy machine.
const patience = 2 * time.Minute

// A stage is a namespace of a cluster that is followed and judged.
type stage struct {
	t         *testing.T
	cluster   *testbed.Cluster
	namespace string
	follower  *follow.Follower
}

func newStage(t *testing.T, c *testbed.Cluster) *stage {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } // one of this machine does not know the node
	f, err := follow.New(config, follow.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return &stage{t: t, cluster: c, namespace: c.Namespace(t), follower: f}
}

// A view is a picture with what was said about it.
type view struct {
	picture.Picture
	judge.Judgement
}

// errEnough ends a watch.
var errEnough = errors.New("enough")

// apply changes the workload kind/web and waits for a verdict about that change: the
// first that is not going on, or the end of the patience. each sees all on the way.
func (s *stage) apply(kind, manifest string, each func(view)) view {
	s.t.Helper()
	s.cluster.Apply(s.t, s.namespace, manifest)
	return s.verdict(kind, each, func(v judge.Verdict) bool { return v.Kind != judge.GoingOn })
}

// verdict waits for one that is wanted.
func (s *stage) verdict(kind string, each func(view), wanted func(judge.Verdict) bool) view {
	s.t.Helper()
	said := s.cluster.Kubectl(s.t, "get", kind, "web", "-n", s.namespace, "-o", "jsonpath={.apiVersion} {.metadata.generation}")
	version, number, _ := strings.Cut(said, " ")
	generation, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	subject := follow.Subject{Workloads: []picture.Ref{{APIVersion: version, Kind: kind, Namespace: s.namespace, Name: "web"}}}
	if kind == "Deployment" {
		subject.Services = []picture.Ref{{APIVersion: "v1", Kind: "Service", Namespace: s.namespace, Name: "web"}}
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	var last view
	err = s.follower.Watch(ctx, subject, 500*time.Millisecond, func(p picture.Picture) error {
		if len(p.Workloads) != 1 || p.Workloads[0].Generation < generation {
			return nil // not told yet
		}
		last = view{p, judge.Judge(p, judge.Policy{})}
		if each != nil {
			each(last)
		}
		if wanted(last.Verdict) {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		s.t.Fatalf("no such verdict: %v; the last is %s: %s\n%+v", err, last.Verdict.Kind, last.Verdict.Message, last.Picture)
	}
	return last
}

// good brings up v1 with a Service.
func (s *stage) good(extra ...string) {
	s.t.Helper()
	v := s.apply("Deployment", web(s.cluster.Image("v1"), "", readiness)+service+strings.Join(extra, ""), nil)
	if v.Verdict.Kind != judge.Done {
		s.t.Fatalf("v1 is %s: %s", v.Verdict.Kind, v.Verdict.Message)
	}
}

const (
	readiness = "\n        readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1, timeoutSeconds: 5}"
	liveness  = "\n        livenessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 2}"
	startup   = "\n        startupProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 120}"
	service   = `
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`
)

// web is a Deployment of two pods: spec goes into it, container into its container and,
// less indented, into its pods.
func web(image, spec, container string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}%s
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: %s
        resources: {requests: {cpu: 1m, memory: 16Mi}, limits: {memory: 64Mi}}%s
`, spec, image, container)
}
