// Package follow_test follows workloads of a real cluster.
package follow_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// patience is how long something may take on a busy machine.
const patience = 90 * time.Second

// follower of a cluster, with what it asks for.
func follower(t *testing.T, kubeconfig string, options follow.Options) (*follow.Follower, *asked) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } // one of this machine does not know the node
	a := &asked{open: map[string]int{}}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { a.next = next; return a })
	f, err := follow.New(config, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f, a
}

// asked counts the requests that leave this process, and can cut the watches.
type asked struct {
	next http.RoundTripper
	mu   sync.Mutex
	all  int
	open map[string]int // watches ever opened, by path
	json []string       // paths that were answered as JSON

	streams []*stream
	held    chan struct{} // watches wait for it, and then ask for a version that is too old
	tooOld  int           // watches that did
}

// RoundTrip counts a request.
func (a *asked) RoundTrip(request *http.Request) (*http.Response, error) {
	query := request.URL.Query()
	watches := query.Get("watch") != ""
	a.mu.Lock()
	a.all++
	held := a.held
	if watches {
		a.open[request.URL.Path]++
	}
	a.mu.Unlock()
	if !watches {
		return a.next.RoundTrip(request)
	}
	if held != nil {
		<-held
		if query.Get("sendInitialEvents") == "" {
			query.Set("resourceVersion", "1")
			request = request.Clone(request.Context())
			request.URL.RawQuery = query.Encode()
			a.mu.Lock()
			a.tooOld++
			a.mu.Unlock()
		}
	}
	response, err := a.next.RoundTrip(request)
	if err == nil {
		a.mu.Lock()
		if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
			a.json = append(a.json, request.URL.Path)
		}
		stream := &stream{ReadCloser: response.Body}
		a.streams = append(a.streams, stream)
		a.mu.Unlock()
		response.Body = stream
	}
	return response, err
}

// A stream is the body of a watch that can end as the API server ends it.
type stream struct {
	io.ReadCloser
	cut atomic.Bool
}

// Read says that there is no more when it was cut.
func (s *stream) Read(to []byte) (int, error) {
	n, err := s.ReadCloser.Read(to)
	if err != nil && s.cut.Load() {
		err = io.EOF
	}
	return n, err
}

// cut ends all watches. Those that follow wait until release is called, and then ask for a
// version that the API server knows no more.
func (a *asked) cut() (release func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	held := make(chan struct{})
	a.held = held
	for _, stream := range a.streams {
		stream.cut.Store(true)
		_ = stream.Close()
	}
	a.streams = nil
	return func() {
		close(held)
		a.mu.Lock()
		a.held = nil
		a.mu.Unlock()
	}
}

func (a *asked) counts() (int, map[string]int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	open := map[string]int{}
	for path, n := range a.open {
		open[path] = n
	}
	return a.all, open
}

func subject(namespace, apiVersion, kind string, names ...string) follow.Subject {
	var s follow.Subject
	for _, name := range names {
		s.Workloads = append(s.Workloads, picture.Ref{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name})
	}
	return s
}

// errEnough ends a watch.
var errEnough = errors.New("enough")

// until watches until a picture is as wanted; why says what is not yet as wanted.
func until(t *testing.T, f *follow.Follower, s follow.Subject, what string, why func(picture.Picture) string) picture.Picture {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last picture.Picture
	var reason string
	// No time but the changes: what is not woken for is not seen.
	err := f.Watch(ctx, s, 0, func(p picture.Picture) error {
		last, reason = p, why(p)
		if reason == "" {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatalf("%s: %v: %s\n%s", what, err, reason, show(last))
	}
	return last
}

func show(p picture.Picture) string { return fmt.Sprintf("%+v", p) }

// one is the only workload of a picture.
func one(p picture.Picture) (picture.Workload, string) {
	if len(p.Workloads) != 1 {
		return picture.Workload{}, fmt.Sprintf("%d workloads", len(p.Workloads))
	}
	w := p.Workloads[0]
	if w.ObservedGeneration < w.Generation {
		return w, "not observed"
	}
	return w, ""
}

func newestPods(w picture.Workload) []picture.Pod {
	var found []picture.Pod
	for _, p := range w.Pods {
		if p.Newest && p.Deleted.IsZero() {
			found = append(found, p)
		}
	}
	return found
}

// readyOf wants n ready pods of the newest revision with an image, and no others.
func readyOf(n int, image string) func(picture.Picture) string {
	return func(p picture.Picture) string {
		w, why := one(p)
		if why != "" {
			return why
		}
		pods := newestPods(w)
		if len(pods) != n || len(w.Pods) != n {
			return fmt.Sprintf("%d pods, %d new", len(w.Pods), len(pods))
		}
		for _, pod := range pods {
			if !pod.Ready || pod.Containers[0].Image != image {
				return fmt.Sprintf("%s is ready: %t, image %s", pod.Name, pod.Ready, pod.Containers[0].Image)
			}
		}
		if w.Ready != int32(n) || w.Updated != int32(n) {
			return fmt.Sprintf("%d ready, %d updated", w.Ready, w.Updated)
		}
		return ""
	}
}

const template = `
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: %[2]s
        resources: {requests: {cpu: 1m, memory: 16Mi}, limits: {memory: 64Mi}}
        readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
`

func deployment(name, image string, replicas int) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: %[3]d
  selector: {matchLabels: {app: %[1]s}}
  template:`+template, name, image, replicas)
}

const service = `
---
apiVersion: v1
kind: Service
metadata: {name: %[1]s}
spec:
  selector: {app: %[1]s}
  ports: [{port: 80, targetPort: 8080}]
`
