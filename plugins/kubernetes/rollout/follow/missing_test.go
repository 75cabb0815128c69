package follow_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
)

// needy is a pod template that refers to all that it can.
func needy() corev1.PodTemplateSpec {
	named := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	optional := pointer(true)
	made := template("app:1")
	made.Spec.ServiceAccountName = "robot"
	made.Spec.ImagePullSecrets = []corev1.LocalObjectReference{named("pull")}
	made.Spec.Volumes = []corev1.Volume{
		{VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: named("c0")}}},
		{VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: named("no"), Optional: optional}}},
		{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s0"}}},
		{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "no", Optional: optional}}},
		{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}},
		{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: named("c1")}},
			{Secret: &corev1.SecretProjection{LocalObjectReference: named("s1")}},
			{Secret: &corev1.SecretProjection{LocalObjectReference: named("no"), Optional: optional}},
		}}}},
	}
	made.Spec.InitContainers = []corev1.Container{{Name: "init", EnvFrom: []corev1.EnvFromSource{
		{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named("c2")}},
		{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named("s2")}},
		{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named("no"), Optional: optional}},
	}}}
	made.Spec.Containers[0].Env = []corev1.EnvVar{
		{Name: "PLAIN", Value: "1"},
		{Name: "C", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: named("c3"), Key: "k"}}},
		{Name: "S", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: named("s3"), Key: "k"}}},
		{Name: "N", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: named("no"), Key: "k", Optional: optional}}},
	}
	return made
}

// TestMissing asks for what a pod that does not start refers to, and for nothing of one that runs.
func TestMissing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	d, set := deployment("web", "app:1", "1"), replicaSet("web", "web-1", "app:1", "1")
	d.Spec.Template, set.Spec.Template = needy(), needy()
	c.put(d, set, pod("ReplicaSet", "web-1", "a", "app:1"))
	now := epoch.Add(time.Second)
	f := c.follower(t, follow.Options{Now: func() time.Time { return now }})
	s := subject("apps/v1", "Deployment", "web")
	if p := take(t, f, s); len(p.Missing) != 0 || c.asked("get") != 0 {
		t.Fatalf("a pod that runs: missing %+v, %d asked", p.Missing, c.asked("get"))
	}
	path := "/api/v1/namespaces/shop/"
	c.answer(path+"secrets/s1", refuse(http.StatusForbidden, metav1.StatusReasonForbidden, "secrets is forbidden"))
	c.answer(path+"configmaps/c1", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {"name": "c1"}}`))
	})
	c.put(unready(pod("ReplicaSet", "web-1", "a", "app:1"), "CreateContainerConfigError"))
	p := take(t, f, s)
	eventually(t, "the pod waits", func() error { p = take(t, f, s); return only(len(p.Missing) == 0, "nothing is missing") })
	var got []string
	for _, m := range p.Missing {
		got = append(got, m.Object.Kind+" "+m.Object.Name+" "+strings.TrimPrefix(m.Where, "spec.template.spec."))
		if m.By.Name != "web" || m.Object.Namespace != "shop" {
			t.Errorf("missing: %+v", m)
		}
	}
	want := []string{
		"ServiceAccount robot serviceAccountName", "ConfigMap c0 volumes[0]", "Secret s0 volumes[2]", "PersistentVolumeClaim data volumes[4]",
		"ConfigMap c2 initContainers[0].envFrom[0]", "Secret s2 initContainers[0].envFrom[1]",
		"ConfigMap c3 containers[0].env[1]", "Secret s3 containers[0].env[2]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	if len(p.Blind) != 1 || p.Blind[0] != "get Secret shop/s1: secrets is forbidden" {
		t.Errorf("blind for %q", p.Blind)
	}
	asked := c.asked("get")
	take(t, f, s)
	if again := c.asked("get"); again != asked {
		t.Errorf("%d are asked for at once again", again-asked)
	}
}

func only(is bool, what string) error {
	if is {
		return errorText(what)
	}
	return nil
}

type errorText string

func (e errorText) Error() string { return string(e) }
