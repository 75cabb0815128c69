package cluster_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
)

// object reads YAML.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return o
}

const written = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop, labels: {app: api}}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
      - {name: api, image: "app:v1", ports: [{containerPort: 8080}], readinessProbe: {httpGet: {port: 8080, path: /ready}}}
      volumes: [{name: c, configMap: {name: c}}, {name: e, emptyDir: {}}]
`

// live is the same as an API server has it.
const live = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
  namespace: shop
  uid: 5d0b
  resourceVersion: "77"
  generation: 3
  creationTimestamp: "2026-01-01T00:00:00Z"
  finalizers: [x/y]
  labels: {app: api, apm-deploy.github.io/component: "0011"}
  annotations:
    deployment.kubernetes.io/revision: "4"
    kubectl.kubernetes.io/last-applied-configuration: "{}"
    apm-deploy.github.io/epoch: "9"
  managedFields: [{manager: kubectl, operation: Apply, apiVersion: apps/v1, fieldsType: FieldsV1, fieldsV1: {}}]
spec:
  replicas: 2
  revisionHistoryLimit: 10
  progressDeadlineSeconds: 600
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 25%}}
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}, creationTimestamp: null}
    spec:
      restartPolicy: Always
      dnsPolicy: ClusterFirst
      schedulerName: default-scheduler
      securityContext: {}
      terminationGracePeriodSeconds: 30
      containers:
      - name: api
        image: app:v1
        imagePullPolicy: IfNotPresent
        resources: {}
        terminationMessagePath: /dev/termination-log
        terminationMessagePolicy: File
        ports: [{containerPort: 8080, protocol: TCP}]
        readinessProbe:
          httpGet: {port: 8080, path: /ready, scheme: HTTP}
          timeoutSeconds: 1
          periodSeconds: 10
          successThreshold: 1
          failureThreshold: 3
      volumes: [{name: c, configMap: {name: c, defaultMode: 420}}, {name: e, emptyDir: {}}]
status: {readyReplicas: 2}
`

func TestNormalise(t *testing.T) {
	t.Parallel()
	a, b := object(t, written), object(t, live)
	before := b.DeepCopy()
	if diff := cmp.Diff(cluster.Normalise(a).Object, cluster.Normalise(b).Object); diff != "" {
		t.Errorf("written and live differ: %s", diff)
	}
	if cluster.Digest(a) != cluster.Digest(b) {
		t.Error("digests differ")
	}
	if diff := cmp.Diff(before.Object, b.Object); diff != "" {
		t.Errorf("the object was changed: %s", diff)
	}
	if _, ok, _ := unstructured.NestedMap(cluster.Normalise(b).Object["spec"].(map[string]any)["template"].(map[string]any), "spec"); !ok { //nolint:forcetypeassert // it is so
		t.Error("the pod is gone")
	}
}

// Each change of what is wanted is another digest, and nothing else is.
func TestDigest(t *testing.T) {
	t.Parallel()
	base := cluster.Digest(object(t, live))
	for name, tc := range map[string]struct {
		from, to string
		same     bool
	}{
		"image":          {"image: app:v1", "image: app:v2", false},
		"replicas":       {"replicas: 2\n  rev", "replicas: 3\n  rev", false},
		"deadline":       {"progressDeadlineSeconds: 600", "progressDeadlineSeconds: 601", false},
		"pull policy":    {"imagePullPolicy: IfNotPresent", "imagePullPolicy: Always", false},
		"a probe":        {"periodSeconds: 10", "periodSeconds: 11", false},
		"label":          {"labels: {app: api, apm", "labels: {app: api, x: y, apm", false},
		"annotation":     {"revision: \"4\"", "revision: \"4\"\n    mine: x", false},
		"paused":         {"  revisionHistoryLimit", "  paused: true\n  revisionHistoryLimit", false},
		"mode":           {"defaultMode: 420", "defaultMode: 256", false},
		"status":         {"readyReplicas: 2", "readyReplicas: 1", true},
		"revision":       {"revision: \"4\"", "revision: \"5\"", true},
		"our stamp":      {"epoch: \"9\"", "epoch: \"10\"", true},
		"version":        {`"77"`, `"78"`, true},
		"generation":     {"generation: 3", "generation: 4", true},
		"made anew":      {"uid: 5d0b", "uid: 0000", true},
		"null is absent": {"  revisionHistoryLimit", "  minReadySeconds: null\n  revisionHistoryLimit", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(live, tc.from) {
				t.Fatalf("%q is not there", tc.from)
			}
			if got := cluster.Digest(object(t, strings.Replace(live, tc.from, tc.to, 1))) == base; got != tc.same {
				t.Errorf("same: %v", got)
			}
		})
	}
	one, two := object(t, live), object(t, strings.ReplaceAll(live, "name: api", "name: web"))
	if cluster.Digest(one, two) != cluster.Digest(two, one) || cluster.Digest(one, two) == cluster.Digest(one) || cluster.Digest() == cluster.Digest(one) {
		t.Error("the digest of several is that of the set")
	}
}

// What the cluster chooses is no state that somebody wants.
func TestAllocated(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string][2]string{
		"Service": {
			`{apiVersion: v1, kind: Service, metadata: {name: a, namespace: s}, spec: {selector: {app: a}, ports: [{port: 80}]}}`,
			`{apiVersion: v1, kind: Service, metadata: {name: a, namespace: s}, spec: {selector: {app: a}, clusterIP: 10.0.0.7, clusterIPs: [10.0.0.7],
			  ipFamilies: [IPv4], ipFamilyPolicy: SingleStack, internalTrafficPolicy: Cluster, sessionAffinity: None, type: ClusterIP,
			  ports: [{port: 80, targetPort: 80, protocol: TCP}]}, status: {loadBalancer: {}}}`,
		},
		"Job": {
			`{apiVersion: batch/v1, kind: Job, metadata: {name: a, namespace: s}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "a:1"}]}}}}`,
			`{apiVersion: batch/v1, kind: Job, metadata: {name: a, namespace: s}, spec: {backoffLimit: 6, completionMode: NonIndexed, completions: 1, parallelism: 1,
			  manualSelector: false, podReplacementPolicy: TerminatingOrFailed, suspend: false, selector: {matchLabels: {batch.kubernetes.io/controller-uid: x}},
			  template: {metadata: {creationTimestamp: null, labels: {batch.kubernetes.io/controller-uid: x, batch.kubernetes.io/job-name: a, controller-uid: x, job-name: a}},
			  spec: {restartPolicy: Never, containers: [{name: a, image: "a:1", imagePullPolicy: IfNotPresent, resources: {}}]}}}}`,
		},
		"Secret": {
			`{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: s}, stringData: {k: v}}`,
			`{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: s}, type: Opaque, data: {k: dg==}}`,
		},
		"latest": {
			`{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: s}, spec: {containers: [{name: a, image: "r:5000/a"}]}}`,
			`{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: s}, spec: {containers: [{name: a, image: "r:5000/a", imagePullPolicy: Always}]}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(cluster.Normalise(object(t, pair[0])).Object, cluster.Normalise(object(t, pair[1])).Object); diff != "" {
				t.Error(diff)
			}
		})
	}
	headless := `{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {clusterIP: None, ports: [{port: 80}]}}`
	if cluster.Digest(object(t, headless)) == cluster.Digest(object(t, strings.Replace(headless, "clusterIP: None, ", "", 1))) {
		t.Error("headless is something that somebody wants")
	}
}

func TestSecretsAreHashed(t *testing.T) {
	t.Parallel()
	one := object(t, `{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: s}, data: {k: Y2FuYXJ5, l: Y2FuYXJ5}}`)
	text, err := json.Marshal(cluster.Normalise(one).Object)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "Y2FuYXJ5") || strings.Contains(string(text), "canary") {
		t.Errorf("the value is there: %s", text)
	}
	data, _, _ := unstructured.NestedStringMap(cluster.Normalise(one).Object, "data")
	if len(data) != 2 || data["k"] == data["l"] {
		t.Errorf("the same value in two places is seen to be the same: %v", data)
	}
	two := object(t, `{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: s}, data: {k: Y2FuYXJ6, l: Y2FuYXJ5}}`)
	if cluster.Digest(one) == cluster.Digest(two) {
		t.Error("another value is the same digest")
	}
}

// Replicas that an autoscaler wrote are its own.
func TestScaledByItself(t *testing.T) {
	t.Parallel()
	by := func(manager, replicas string) *unstructured.Unstructured {
		return object(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: s, managedFields: [
			{manager: `+manager+`, operation: Update, subresource: scale, apiVersion: apps/v1, fieldsType: FieldsV1, fieldsV1: {"f:spec": {"f:replicas": {}}}}]},
			spec: {replicas: `+replicas+`}}`)
	}
	if cluster.Digest(by("kube-controller-manager", "2")) != cluster.Digest(by("kube-controller-manager", "5")) {
		t.Error("autoscaled replicas are in the digest")
	}
	if cluster.Digest(by("kubectl", "2")) == cluster.Digest(by("kubectl", "5")) {
		t.Error("what a person scaled is not in the digest")
	}
}
