package cluster

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// fields are values that mean the same as nothing.
type fields map[string]any

// The defaults of the kinds that rollouts are made of, as the API server fills them in.
// One that is missing here is only seen as a difference after an upgrade of the cluster
// has begun to fill it in.
var (
	podDefaults = fields{
		"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler",
		"terminationGracePeriodSeconds": int64(30), "securityContext": fields{}, "enableServiceLinks": true,
	}
	containerDefaults = fields{
		"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "resources": fields{},
	}
	probeDefaults = fields{
		"timeoutSeconds": int64(1), "periodSeconds": int64(10), "successThreshold": int64(1), "failureThreshold": int64(3),
		"initialDelaySeconds": int64(0),
	}
	specDefaults = map[string]fields{
		"Deployment": {
			"revisionHistoryLimit": int64(10), "progressDeadlineSeconds": int64(600), "paused": false,
			"strategy": fields{"type": "RollingUpdate", "rollingUpdate": fields{"maxSurge": "25%", "maxUnavailable": "25%"}},
		},
		"StatefulSet": {
			"revisionHistoryLimit": int64(10), "podManagementPolicy": "OrderedReady",
			"updateStrategy":                       fields{"type": "RollingUpdate", "rollingUpdate": fields{"partition": int64(0)}},
			"persistentVolumeClaimRetentionPolicy": fields{"whenDeleted": "Retain", "whenScaled": "Retain"},
		},
		"DaemonSet": {
			"revisionHistoryLimit": int64(10),
			"updateStrategy":       fields{"type": "RollingUpdate", "rollingUpdate": fields{"maxSurge": int64(0), "maxUnavailable": int64(1)}},
		},
		"Job": {
			"backoffLimit": int64(6), "completions": int64(1), "parallelism": int64(1), "completionMode": "NonIndexed", "suspend": false,
			"manualSelector": false, "podReplacementPolicy": "TerminatingOrFailed",
		},
		"CronJob": {
			"concurrencyPolicy": "Allow", "failedJobsHistoryLimit": int64(1), "successfulJobsHistoryLimit": int64(3), "suspend": false,
		},
		"Service": {
			"type": "ClusterIP", "sessionAffinity": "None", "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster",
			"externalTrafficPolicy": "Cluster", "allocateLoadBalancerNodePorts": true,
		},
		"PersistentVolumeClaim": {"volumeMode": "Filesystem"},
	}
	// allocated is what the cluster chooses, and would choose otherwise another time.
	allocated = map[string][]string{
		"Service":               {"ipFamilies", "healthCheckNodePort"},
		"PersistentVolumeClaim": {"volumeName"},
		"Namespace":             {"finalizers"},
	}
)

// undefault removes defaults and what the cluster allocates.
func undefault(o *unstructured.Unstructured) {
	kind := o.GetKind()
	switch o.GroupVersionKind().Group {
	case "", "apps", "batch":
	default:
		return // a kind of somebody else, whose defaults we do not know
	}
	if kind == "Secret" {
		fields{"type": "Opaque"}.drop(o.Object)
	}
	spec := sub(o.Object, "spec")
	if spec == nil {
		return
	}
	for _, field := range allocated[kind] {
		delete(spec, field)
	}
	switch kind {
	case "Pod":
		undefaultPod(spec, podDefaults)
	case "Service":
		undefaultService(spec)
	case "Job":
		forgetLabels(sub(o.Object, "metadata"))
		undefaultJob(spec)
	case "CronJob":
		if template := sub(spec, "jobTemplate"); template != nil {
			undefaultTemplateMeta(template)
			if inner := sub(template, "spec"); inner != nil {
				undefaultJob(inner)
				specDefaults["Job"].drop(inner)
			}
		}
	default:
		undefaultTemplate(spec)
		for _, claim := range list(spec, "volumeClaimTemplates") {
			delete(claim, "status")
			delete(claim, "apiVersion")
			delete(claim, "kind")
			undefaultTemplateMeta(claim)
			if inner := sub(claim, "spec"); inner != nil {
				specDefaults["PersistentVolumeClaim"].drop(inner)
			}
		}
	}
	specDefaults[kind].drop(spec)
	if len(spec) == 0 {
		delete(o.Object, "spec")
	}
}

func undefaultService(spec map[string]any) {
	if spec["clusterIP"] != "None" {
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
	} else {
		delete(spec, "clusterIPs")
	}
	for _, port := range list(spec, "ports") {
		fields{"protocol": "TCP", "targetPort": port["port"]}.drop(port)
	}
}

func undefaultJob(spec map[string]any) {
	forgetSelector(spec)
	undefaultTemplate(spec)
}

func undefaultTemplate(spec map[string]any) {
	template := sub(spec, "template")
	if template == nil {
		return
	}
	undefaultTemplateMeta(template)
	if pod := sub(template, "spec"); pod != nil {
		undefaultPod(pod, podDefaults)
	}
}

func undefaultTemplateMeta(template map[string]any) {
	if metadata := sub(template, "metadata"); metadata != nil {
		delete(metadata, "creationTimestamp")
		if len(metadata) == 0 {
			delete(template, "metadata")
		}
	}
}

func undefaultPod(pod map[string]any, defaults fields) {
	defaults.drop(pod)
	delete(pod, "serviceAccount") // the old name of serviceAccountName
	for _, containers := range []string{"initContainers", "containers", "ephemeralContainers"} {
		for _, c := range list(pod, containers) {
			undefaultContainer(c)
		}
	}
	for _, volume := range list(pod, "volumes") {
		for _, kind := range []string{"configMap", "secret", "projected", "downwardAPI"} {
			if source := sub(volume, kind); source != nil {
				fields{"defaultMode": int64(0o644)}.drop(source)
			}
		}
		if source := sub(volume, "hostPath"); source != nil {
			fields{"type": ""}.drop(source)
		}
	}
}

func undefaultContainer(c map[string]any) {
	containerDefaults.drop(c)
	image, _ := c["image"].(string)
	fields{"imagePullPolicy": pullPolicy(image)}.drop(c)
	for _, port := range list(c, "ports") {
		fields{"protocol": "TCP"}.drop(port)
	}
	for _, variable := range list(c, "env") {
		fields{"value": ""}.drop(variable)
		if from := sub(variable, "valueFrom"); from != nil {
			if ref := sub(from, "fieldRef"); ref != nil {
				fields{"apiVersion": "v1"}.drop(ref)
			}
		}
	}
	for _, name := range []string{"startupProbe", "readinessProbe", "livenessProbe"} {
		probe := sub(c, name)
		if probe == nil {
			continue
		}
		probeDefaults.drop(probe)
		if get := sub(probe, "httpGet"); get != nil {
			fields{"scheme": "HTTP", "path": "/"}.drop(get)
		}
		if call := sub(probe, "grpc"); call != nil {
			fields{"service": ""}.drop(call)
		}
	}
}

// pullPolicy is the default for an image.
func pullPolicy(image string) string {
	if strings.Contains(image, "@") {
		return "IfNotPresent"
	}
	name := image[strings.LastIndex(image, "/")+1:]
	if _, tag, ok := strings.Cut(name, ":"); ok && tag != "latest" {
		return "IfNotPresent"
	}
	return "Always"
}

// drop removes what has its default.
func (f fields) drop(from map[string]any) {
	for key, value := range f {
		if got, ok := from[key]; ok && same(got, value) {
			delete(from, key)
		}
	}
}

// same compares what JSON may have made of numbers.
func same(a, b any) bool {
	if inner, ok := b.(fields); ok {
		m, ok := a.(map[string]any)
		if !ok || len(m) != len(inner) {
			return false
		}
		for key, value := range inner {
			if !same(m[key], value) {
				return false
			}
		}
		return true
	}
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

func sub(o map[string]any, field string) map[string]any {
	inner, _ := o[field].(map[string]any)
	return inner
}

func list(o map[string]any, field string) []map[string]any {
	items, _ := o[field].([]any)
	all := make([]map[string]any, 0, len(items))
	for _, item := range items {
		if inner, ok := item.(map[string]any); ok {
			all = append(all, inner)
		}
	}
	return all
}
