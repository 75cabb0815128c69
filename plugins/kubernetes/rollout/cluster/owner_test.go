package cluster_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
)

func with(t *testing.T, metadata string) *unstructured.Unstructured {
	t.Helper()
	return object(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, namespace: shop, `+metadata+`}, spec: {replicas: 1}}`)
}

func manager(name, operation, at string) string {
	return fmt.Sprintf(`{manager: %s, operation: %s, apiVersion: apps/v1, time: "2026-01-01T00:00:%sZ", fieldsType: FieldsV1, fieldsV1: {"f:spec": {}}}`, name, operation, at)
}

func TestKeeper(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		metadata string
		want     string // String, then Command
	}{
		"nobody":             {`labels: {app.kubernetes.io/instance: x}`, ""},
		"Helm":               {`annotations: {meta.helm.sh/release-name: web, meta.helm.sh/release-namespace: prod}`, "Helm release prod/web: helm rollback web --namespace prod"},
		"Argo CD annotation": {`annotations: {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/api"}`, "Argo CD application shop: argocd app rollback shop"},
		"Argo CD label":      {`labels: {argocd.argoproj.io/instance: shop}`, "Argo CD application shop: argocd app rollback shop"},
		"Argo CD by its manager": {
			`labels: {app.kubernetes.io/instance: shop}, managedFields: [` + manager("argocd-controller", "Apply", "01") + `]`,
			"Argo CD application shop: argocd app rollback shop",
		},
		"Flux": {
			`labels: {kustomize.toolkit.fluxcd.io/name: apps, kustomize.toolkit.fluxcd.io/namespace: flux-system}`,
			"Flux Kustomization flux-system/apps: flux suspend kustomization apps --namespace flux-system",
		},
		"Helm by Flux": {
			`labels: {helm.toolkit.fluxcd.io/name: web, helm.toolkit.fluxcd.io/namespace: f}, annotations: {meta.helm.sh/release-name: web}`,
			"Flux HelmRelease f/web: flux suspend helmrelease web --namespace f",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if owner, ok := cluster.KeeperOf(with(t, tc.metadata)); ok {
				got = owner.String() + ": " + owner.Command
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestOwners(t *testing.T) {
	t.Parallel()
	o := with(t, `annotations: {meta.helm.sh/release-name: web}, managedFields: [`+strings.Join([]string{
		manager("helm", "Update", "01"), manager("kubectl-edit", "Update", "03"), manager("apm", "Apply", "04"), manager("apm", "Update", "02"),
		strings.Replace(manager("kube-controller-manager", "Update", "05"), "{manager", "{subresource: status, manager", 1),
	}, ", ")+`]`)
	var got []string
	for _, owner := range cluster.OwnersOf(o) {
		got = append(got, fmt.Sprint(owner.Kind, "=", owner))
	}
	if text := strings.Join(got, " "); text != "Helm=Helm release shop/web apm=apm other=kubectl-edit" {
		t.Errorf("owners %s", text)
	}
	change, ok := cluster.LastChangeOf(o)
	if !ok || change.By.Name != "kubectl-edit" || change.At.Second() != 3 {
		t.Errorf("last change %+v", change)
	}
	if change, ok := cluster.LastChangeOf(with(t, `managedFields: [`+manager("apm", "Apply", "01")+`]`)); ok {
		t.Errorf("only we wrote it: %+v", change)
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	const pod = `spec: {replicas: %d, template: {spec: {containers: [{name: a, image: "a:%d"}, {name: b, image: "b:1"%s}]}}}}`
	at := func(managers string, replicas, image int, more string) *unstructured.Unstructured {
		return object(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, namespace: shop, managedFields: [`+managers+`]}, `+fmt.Sprintf(pod, replicas, image, more))
	}
	const setImage = `{"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"a"}': {"f:image": {}}}}}}}`
	first := manager("apm", "Apply", "01")
	for name, tc := range map[string]struct {
		after  *unstructured.Unstructured
		by     string
		fields string
	}{
		"image":      {at(first+","+manager("kubectl-set", "Update", "02"), 1, 2, ""), "kubectl-set", `.spec.template.spec.containers[name="a"].image`},
		"two fields": {at(manager("kubectl-edit", "Update", "02")+","+first, 2, 2, ""), "kubectl-edit", `.spec.replicas .spec.template.spec.containers[name="a"].image`},
		"added":      {at(first+","+manager("x", "Update", "02"), 1, 1, `, env: [{name: E, value: v}]`), "x", `.spec.template.spec.containers[name="b"].env`},
		"same second": {
			at(strings.Replace(first, `{"f:spec": {}}`, `{}`, 1)+","+strings.Replace(manager("kubectl-set", "Update", "01"), `{"f:spec": {}}`, setImage, 1), 1, 2, ""),
			"kubectl-set", `.spec.template.spec.containers[name="a"].image`,
		},
		"nothing": {at(first+","+manager("x", "Update", "02"), 1, 1, ""), "unknown", ""},
		"unseen":  {at(first, 1, 2, ""), "unknown", `.spec.template.spec.containers[name="a"].image`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change := cluster.ChangeOf(at(first, 1, 1, ""), tc.after)
			if change.By.String() != tc.by || strings.Join(change.Fields, " ") != tc.fields {
				t.Errorf("by %s, fields %v", change.By, change.Fields)
			}
		})
	}
	made := cluster.ChangeOf(nil, at(manager("later", "Update", "03")+","+manager("maker", "Update", "01"), 1, 1, ""))
	if made.By.Name != "maker" {
		t.Errorf("made by %s", made.By)
	}
	if deleted := cluster.ChangeOf(at(first, 1, 1, ""), nil); deleted.By.String() != "unknown" {
		t.Errorf("deleted by %s", deleted.By)
	}
}
