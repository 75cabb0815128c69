// Package rollout_test drives components on a real cluster.
package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/test/testbed"
)

// patience is how long something may take on a busy machine.
const patience = 2 * time.Minute

// A rig is one component in a namespace of its own.
type rig struct {
	*testing.T
	node      *testbed.Cluster
	namespace string
	target    sdk.Target
	epoch     uint64
	operation int
	*rollout.Platform
	options rollout.Options
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return rigOn(t, testbed.Kubernetes(t))
}

func rigOn(t *testing.T, node *testbed.Cluster) *rig {
	t.Helper()
	r := &rig{
		T: t, node: node, namespace: node.Namespace(t), epoch: 1,
		target: sdk.Target{Application: "shop", Environment: "test", Component: "api"},
	}
	r.options = rollout.Options{Installation: "install-" + r.namespace, Namespace: r.namespace, Interval: time.Second}
	r.Platform = r.platform()
	return r
}

// platform is a fresh one that knows nothing.
func (r *rig) platform() *rollout.Platform {
	r.Helper()
	p, err := rollout.New(configOf(r.T, r.node.Kubeconfig()), r.options)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { r.close(p) })
	return p
}

func configOf(t *testing.T, kubeconfig string) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } // one of this machine does not know the node
	return config
}

func (r *rig) close(p *rollout.Platform) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		r.Errorf("close: %v", err)
	}
}

// restart is what is left after the plugin was killed: a process that knows nothing.
func (r *rig) restart() {
	r.Helper()
	r.close(r.Platform)
	r.Platform = r.platform()
	r.epoch++
}

func (r *rig) context() context.Context {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	r.Cleanup(cancel)
	return ctx
}

// next is a new operation.
func (r *rig) next(kind sdk.OperationKind) sdk.Operation {
	r.operation++
	id := fmt.Sprintf("op-%d", r.operation)
	return sdk.Operation{ID: id, DeploymentID: "d-" + id, Kind: kind, RequestDigest: "digest-" + id, Epoch: r.epoch}
}

// objects reads manifests.
func objects(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	var all []*unstructured.Unstructured
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Object) > 0 {
			all = append(all, o)
		}
	}
}

// encoded is a release as Resolve hands it out.
func (r *rig) encoded(content release.Release) sdk.Release {
	r.Helper()
	state, err := content.Encode()
	if err != nil {
		r.Fatal(err)
	}
	digest, err := content.Digest()
	if err != nil {
		r.Fatal(err)
	}
	return sdk.Release{Version: release.Version, State: state, Digest: digest, Revision: content.Version, View: content.View()}
}

func (r *rig) manifests(version, text string) sdk.Release {
	r.Helper()
	return r.encoded(release.Release{Version: version, Objects: objects(r.T, text)})
}

// start begins a deploy.
func (r *rig) start(version string, what sdk.Release) sdk.DeployRequest {
	r.Helper()
	r.target.Version = version
	request := sdk.DeployRequest{Operation: r.next(sdk.OperationDeploy), Target: r.target, Release: what}
	if _, err := r.Deploy(r.context(), request); err != nil {
		r.Fatalf("deploy %s: %v", version, err)
	}
	return request
}

// deploy brings a release there.
func (r *rig) deploy(version string, what sdk.Release) *sdk.Outcome {
	r.Helper()
	return r.outcome(r.start(version, what).Operation)
}

func (r *rig) succeed(version string, what sdk.Release) {
	r.Helper()
	r.is(r.deploy(version, what), sdk.ResultSucceeded)
}

func (r *rig) is(o *sdk.Outcome, want sdk.Result) {
	r.Helper()
	if o.Result != want {
		r.Fatalf("result %v, want %v: %s\n%+v", o.Result, want, o.Message, o.Failure)
	}
}

func (r *rig) snapshot(about *sdk.Release) sdk.SnapshotResult {
	r.Helper()
	result, err := r.Snapshot(r.context(), sdk.SnapshotRequest{Target: r.target, Release: about})
	if err != nil {
		r.Fatalf("snapshot: %v", err)
	}
	return result
}

// back goes back to a snapshot.
func (r *rig) back(to sdk.Snapshot) *sdk.Outcome {
	r.Helper()
	request := sdk.RollbackRequest{Operation: r.next(sdk.OperationRollback), Target: r.target, Snapshot: to}
	if _, err := r.Rollback(r.context(), request); err != nil {
		r.Fatalf("rollback: %v", err)
	}
	return r.outcome(request.Operation)
}

// outcome watches an operation to its end.
func (r *rig) outcome(op sdk.Operation) *sdk.Outcome {
	r.Helper()
	outcome, _ := r.lines(op)
	return outcome
}

// lines are those that an operation says until its end.
func (r *rig) lines(op sdk.Operation) (*sdk.Outcome, string) {
	r.Helper()
	var said strings.Builder
	var outcome *sdk.Outcome
	err := r.Watch(r.context(), sdk.WatchRequest{Target: r.target, Operation: op}, func(events ...sdk.Event) error {
		for _, e := range events {
			switch {
			case e.Outcome != nil:
				outcome = e.Outcome
			case e.Log != nil:
				r.Logf("%s %s", op.ID, e.Log.Line)
				said.WriteString(e.Log.Line + "\n")
			case e.State != nil && verbose:
				r.Logf("%s %.2f %s", op.ID, e.State.Fraction, e.State.Message)
			}
		}
		return nil
	})
	if err != nil || outcome == nil {
		r.Fatalf("watch %s: outcome %v, error %v", op.ID, outcome, err)
	}
	return outcome, said.String()
}

var verbose = os.Getenv("VERBOSE") != ""

// until watches an operation until something is true of what it tells.
func (r *rig) until(op sdk.Operation, what string, is func(e sdk.Event) bool) {
	r.Helper()
	ctx, cancel := context.WithCancel(r.context())
	defer cancel()
	var found atomic.Bool
	err := r.Watch(ctx, sdk.WatchRequest{Target: r.target, Operation: op}, func(events ...sdk.Event) error {
		for _, e := range events {
			if is(e) {
				found.Store(true)
				cancel()
			}
		}
		return ctx.Err()
	})
	if !found.Load() {
		r.Fatalf("%s was never told: %v", what, err)
	}
}

// line says whether an event is a line with this text.
func line(text string) func(sdk.Event) bool {
	return func(e sdk.Event) bool { return e.Log != nil && strings.Contains(e.Log.Line, text) }
}

func (r *rig) kubectl(args ...string) string {
	r.Helper()
	return strings.TrimSpace(r.node.Kubectl(r.T, append([]string{"-n", r.namespace}, args...)...))
}

// has says whether an object is there.
func (r *rig) has(kind, name string) bool {
	r.Helper()
	return r.kubectl("get", kind, name, "--ignore-not-found", "-o", "name") != ""
}

func (r *rig) wants(what, got, want string) {
	r.Helper()
	if got != want {
		r.Fatalf("%s is %q, want %q", what, got, want)
	}
}

// stamp of an object.
func (r *rig) stamp(key string) cluster.Stamp {
	r.Helper()
	k, err := cluster.ParseKey(key)
	if err != nil {
		r.Fatal(err)
	}
	o, err := r.Cluster().Get(r.context(), k)
	if err != nil {
		r.Fatal(err)
	}
	s, _ := cluster.StampOf(o)
	return s
}

func asError(err error, to **sdk.Error) bool { return errors.As(err, to) }

// app is a Deployment with its Service and a ConfigMap that it uses.
func app(name, image, setting string, more ...string) string {
	env := ""
	for _, pair := range more {
		key, value, _ := strings.Cut(pair, "=")
		env += fmt.Sprintf("        - {name: %s, value: %q}\n", key, value)
	}
	return fmt.Sprintf(`
apiVersion: v1
kind: ConfigMap
metadata: {name: %[1]s}
data: {setting: %[3]q}
---
apiVersion: v1
kind: Service
metadata: {name: %[1]s}
spec:
  selector: {app: %[1]s}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: 1
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: %[2]s
        env:
        - {name: SETTING, valueFrom: {configMapKeyRef: {name: %[1]s, key: setting}}}
%[4]s        readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
`, name, image, setting, env)
}

func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// images is a release that sets images of the Deployment api.
func (r *rig) images(version string, images map[string]string) sdk.Release {
	r.Helper()
	return r.encoded(release.Release{Version: version, Images: images, Workload: r.workload()})
}

func (r *rig) workload() *release.Workload {
	return &release.Workload{APIVersion: "apps/v1", Kind: "Deployment", Namespace: r.namespace, Name: "api"}
}
