package follow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// cluster is an API server that lists and watches what a test puts there. It does not
// stream lists, as older ones do not.
type cluster struct {
	server *httptest.Server

	mu       sync.Mutex
	version  int
	objects  map[string]map[string]metav1.Object // by the path of their list, by name
	watches  map[chan event]string
	requests map[string]int                                      // by verb
	answers  map[string]func(http.ResponseWriter, *http.Request) // instead, by path
	open     map[string]int                                      // watches, by path
}

type event struct {
	Type   string `json:"type"`
	Object any    `json:"object"`
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{
		version: 100, objects: map[string]map[string]metav1.Object{}, watches: map[chan event]string{},
		requests: map[string]int{}, answers: map[string]func(http.ResponseWriter, *http.Request){}, open: map[string]int{},
	}
	c.server = httptest.NewUnstartedServer(http.HandlerFunc(c.serve))
	c.server.EnableHTTP2 = true
	c.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // clients that end
	c.server.StartTLS()
	t.Cleanup(func() {
		c.server.CloseClientConnections()
		c.server.Close()
	})
	return c
}

// follower of the cluster.
func (c *cluster) follower(t testing.TB, options follow.Options) *follow.Follower {
	t.Helper()
	f, err := follow.New(&rest.Config{Host: c.server.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// put adds objects, or changes them.
func (c *cluster) put(objects ...metav1.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range objects {
		c.version++
		o.SetResourceVersion(strconv.Itoa(c.version))
		path := pathOf(o)
		kind := "ADDED"
		if c.objects[path] == nil {
			c.objects[path] = map[string]metav1.Object{}
		}
		if c.objects[path][o.GetName()] != nil {
			kind = "MODIFIED"
		}
		c.objects[path][o.GetName()] = o
		c.tell(path, event{kind, o})
	}
}

// remove takes objects away.
func (c *cluster) remove(objects ...metav1.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range objects {
		c.version++
		o.SetResourceVersion(strconv.Itoa(c.version))
		delete(c.objects[pathOf(o)], o.GetName())
		c.tell(pathOf(o), event{"DELETED", o})
	}
}

// watched waits until as many watches are open.
func (c *cluster) watched(t testing.TB, n int) {
	t.Helper()
	eventually(t, "the watches", func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.watches) != n {
			return fmt.Errorf("%d are open, want %d", len(c.watches), n)
		}
		return nil
	})
}

// quietly does what no watch tells.
func (c *cluster) quietly(do func()) {
	c.mu.Lock()
	watches := c.watches
	c.watches = map[chan event]string{}
	c.mu.Unlock()
	do()
	c.mu.Lock()
	c.watches = watches
	c.mu.Unlock()
}

// expire ends all watches with 410.
func (c *cluster) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for watch := range c.watches {
		watch <- event{"ERROR", metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: http.StatusGone,
			Reason: metav1.StatusReasonExpired, Message: "too old resource version",
		}}
	}
}

func (c *cluster) tell(path string, e event) {
	for watch, at := range c.watches {
		if at == path {
			watch <- e
		}
	}
}

// answer lets a path be answered by a handler; nil takes it back.
func (c *cluster) answer(path string, handler func(http.ResponseWriter, *http.Request)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[path] = handler
}

func refuse(code int, reason metav1.StatusReason, message string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure",
			Code: int32(code), Reason: reason, Message: message,
		})
	}
}

// asked counts the requests by verb.
func (c *cluster) asked(verb string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[verb]
}

func (c *cluster) serve(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	verb := "list"
	switch {
	case query.Get("watch") != "":
		verb = "watch"
	case strings.HasSuffix(r.URL.Path, "/log"):
		verb = "log"
	case r.URL.Path == "/livez":
		verb = "livez"
	case strings.HasPrefix(r.URL.Path, "/api/v1/namespaces/") && strings.Count(r.URL.Path, "/") == strings.Count(pathOfNamed, "/"):
		verb = "get"
	}
	c.mu.Lock()
	c.requests[verb]++
	instead := c.answers[r.URL.Path]
	if instead == nil {
		instead = c.answers[verb+" "+r.URL.Path]
	}
	c.mu.Unlock()
	switch {
	case instead != nil:
		instead(w, r)
	case verb == "livez":
		_, _ = w.Write([]byte("ok"))
	case verb == "watch" && query.Get("sendInitialEvents") != "":
		refuse(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "sendInitialEvents is forbidden")(w, r)
	case verb == "watch":
		c.watch(w, r)
	case verb == "list":
		c.list(w, r)
	case verb == "get" && c.named(r.URL.Path) != nil:
		w.Header().Set("Content-Type", "application/json")
		c.mu.Lock()
		defer c.mu.Unlock()
		_ = json.NewEncoder(w).Encode(c.objects[path.Dir(r.URL.Path)][path.Base(r.URL.Path)])
	default:
		refuse(http.StatusNotFound, metav1.StatusReasonNotFound, r.URL.Path+" not found")(w, r)
	}
}

func (c *cluster) named(at string) metav1.Object {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objects[path.Dir(at)][path.Base(at)]
}

// pathOfNamed has as many parts as the path of any object that is got by its name.
const pathOfNamed = "/api/v1/namespaces/shop/secrets/keys"

func (c *cluster) list(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	items := []metav1.Object{}
	for _, o := range c.objects[r.URL.Path] {
		items = append(items, o)
	}
	apiVersion := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path[:strings.Index(r.URL.Path+"/namespaces", "/namespaces")], "/apis/"), "/api/")
	if apiVersion == "v1/nodes" {
		apiVersion = "v1"
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": apiVersion, "kind": listKind[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]],
		"metadata": map[string]any{"resourceVersion": strconv.Itoa(c.version)}, "items": items,
	})
}

func (c *cluster) watch(w http.ResponseWriter, r *http.Request) {
	since, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	if err != nil {
		refuse(http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())(w, r)
		return
	}
	events := make(chan event, 500)
	c.mu.Lock()
	for _, o := range c.objects[r.URL.Path] {
		if version, _ := strconv.Atoi(o.GetResourceVersion()); version > since {
			events <- event{"MODIFIED", o}
		}
	}
	c.watches[events] = r.URL.Path
	c.open[r.URL.Path]++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.watches, events)
		c.open[r.URL.Path]--
		c.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case e := <-events:
			c.mu.Lock() // the object may be changed by the test
			err := json.NewEncoder(w).Encode(e)
			c.mu.Unlock()
			if err != nil || e.Type == "ERROR" {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func subject(apiVersion, kind string, names ...string) follow.Subject {
	var s follow.Subject
	for _, name := range names {
		s.Workloads = append(s.Workloads, picture.Ref{APIVersion: apiVersion, Kind: kind, Namespace: "shop", Name: name})
	}
	return s
}

func take(t testing.TB, f *follow.Follower, s follow.Subject) picture.Picture {
	t.Helper()
	p, err := f.Picture(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// until watches until a picture is as wanted.
func until(t testing.TB, f *follow.Follower, s follow.Subject, what string, why func(picture.Picture) string) picture.Picture {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var last picture.Picture
	reason := "no picture"
	err := f.Watch(ctx, s, 0, func(p picture.Picture) error {
		if last, reason = p, why(p); reason == "" {
			cancel()
		}
		return nil
	})
	if reason != "" {
		t.Fatalf("%s: %v: %s\n%+v", what, err, reason, last)
	}
	return last
}

func eventually(t testing.TB, what string, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(fmt.Errorf("%s: %w", what, err))
		}
		select {
		case <-t.Context().Done():
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
