// Package record_test runs what package record promises on a real cluster.
package record_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record/recordtest"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/test/testbed"
)

func TestRecord(t *testing.T) {
	c := testbed.Kubernetes(t)
	recordtest.Run(t, recordtest.Place{
		Config:    config(t, c.Kubeconfig()),
		Namespace: func(t *testing.T) string { t.Helper(); return c.Namespace(t) },
	})
}

func config(t *testing.T, kubeconfig string) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } //nolint:nilnil // a proxy of this machine does not know the node
	return config
}

// What may not be done is said with verb, resource and namespace, whichever right it is.
func TestRightsAreNamed(t *testing.T) {
	c := testbed.Kubernetes(t)
	namespace := c.Namespace(t)
	c.Apply(t, namespace, `{apiVersion: v1, kind: ServiceAccount, metadata: {name: apm}}`)
	for n, tc := range []struct{ verbs, holds, missing string }{
		{`["list"]`, "list", "get"},
		{`["get"]`, "get", "create"},
		{`["get", "create"]`, "create", "update"},
		{`["get", "create", "update"]`, "update", ""},
	} {
		c.Apply(t, namespace, `
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: apm}, rules: [{apiGroups: [""], resources: [secrets], verbs: `+tc.verbs+`}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: apm}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: apm},
 subjects: [{kind: ServiceAccount, name: apm}]}
`)
		connection, err := cluster.New(config(t, c.KubeconfigOf(t, namespace, "apm")), cluster.Options{})
		if err != nil {
			t.Fatal(err)
		}
		testbed.Eventually(t, time.Minute, "the role holds", func() error {
			account := "system:serviceaccount:" + namespace + ":apm"
			_, err := c.TryKubectl(t.Context(), "", "auth", "can-i", tc.holds, "secrets", "--namespace", namespace, "--as", account)
			return err
		})
		book := record.New(record.Config{
			Log: slog.New(slog.DiscardHandler), Cluster: connection,
			Drive: func(ctx context.Context, w *record.Work) error {
				return w.End(ctx, sdk.Outcome{Result: sdk.ResultSucceeded})
			},
			State: func(*record.Operation) *sdk.State { return &sdk.State{Phase: sdk.PhaseProgressing} },
		})
		journal := book.At(namespace, cluster.Identity{Installation: "here", Application: "shop", Environment: "test", Component: "web"})
		operation := sdk.Operation{ID: fmt.Sprint("op-", n), RequestDigest: "d", Epoch: uint64(n + 1)} //nolint:gosec // small
		_, err = journal.Accept(t.Context(), operation, record.Entry{}, func(context.Context, *record.Record) (string, error) { return "", nil })
		if err == nil {
			err = journal.Watch(t.Context(), sdk.WatchRequest{Operation: operation}, func(...sdk.Event) error { return nil })
		}
		if tc.missing == "" && err != nil {
			t.Errorf("with %s: %v", tc.verbs, err)
		}
		want := fmt.Sprintf("grant verb %q on resource %q in namespace %q", tc.missing, "secrets", namespace)
		if tc.missing != "" && (sdk.CodeOf(err) != sdk.PermissionDenied || !strings.Contains(err.Error(), want)) {
			t.Errorf("with %s: %v\nwant %s", tc.verbs, err, want)
		}
		if err := book.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// An API server that is killed, or answers nothing, delays an operation and no more.
func TestAPIServerGoes(t *testing.T) {
	c := testbed.Isolated(t)
	namespace := c.Namespace(t)
	connection, err := cluster.New(config(t, c.Kubeconfig()), cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	gone, back := make(chan struct{}), make(chan struct{})
	book := record.New(record.Config{
		Log: slog.New(slog.DiscardHandler), Cluster: connection,
		Drive: func(ctx context.Context, w *record.Work) error {
			<-gone
			if err := w.Reach(ctx, "while it was gone"); err != nil {
				return err
			}
			select {
			case <-back:
			default:
				t.Error("a step was written while nobody could write it")
			}
			return w.End(ctx, sdk.Outcome{Result: sdk.ResultSucceeded})
		},
		State: func(*record.Operation) *sdk.State { return &sdk.State{Phase: sdk.PhaseProgressing} },
	})
	t.Cleanup(func() {
		if err := book.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	journal := book.At(namespace, cluster.Identity{Installation: "here", Application: "shop", Environment: "test", Component: "web"})
	for id, take := range map[string]func() (undo func()){
		"killed": func() func() { c.Kill(t, testbed.APIServer); return func() { c.Start(t, testbed.APIServer) } },
		"frozen": func() func() { c.Freeze(t, testbed.APIServer); return func() { c.Thaw(t, testbed.APIServer) } },
	} {
		gone, back = make(chan struct{}), make(chan struct{})
		operation := sdk.Operation{ID: id, RequestDigest: "d", Epoch: 1}
		_, err := journal.Accept(t.Context(), operation, record.Entry{}, func(context.Context, *record.Record) (string, error) { return "", nil })
		if err != nil {
			t.Fatal(err)
		}
		undo := take()
		close(gone)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := journal.Cancel(ctx, sdk.CancelRequest{Operation: operation}, nil); !cluster.IsDown(err) && ctx.Err() == nil {
			t.Errorf("%s: Cancel: %v", id, err)
		}
		cancel()
		close(back)
		undo()
		var outcome *sdk.Outcome
		testbed.Eventually(t, 90*time.Second, "the operation ends", func() error {
			return journal.Watch(t.Context(), sdk.WatchRequest{Operation: operation}, func(events ...sdk.Event) error {
				outcome = events[len(events)-1].Outcome
				return nil
			})
		})
		if outcome.Result != sdk.ResultSucceeded {
			t.Errorf("%s: %+v", id, outcome)
		}
	}
}
