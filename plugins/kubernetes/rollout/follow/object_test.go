package follow_test

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// listKind is the kind of the list of a resource.
var listKind = map[string]string{
	"pods": "PodList", "events": "EventList", "services": "ServiceList", "nodes": "NodeList", "endpointslices": "EndpointSliceList",
	"deployments": "DeploymentList", "replicasets": "ReplicaSetList", "statefulsets": "StatefulSetList",
	"daemonsets": "DaemonSetList", "controllerrevisions": "ControllerRevisionList", "jobs": "JobList", "cronjobs": "CronJobList",
	"databases": "DatabaseList", "rollouts": "RolloutList",
}

// pathOf the list that an object is in; it is told its kind.
func pathOf(o metav1.Object) string {
	in := "/namespaces/" + o.GetNamespace() + "/"
	set := func(meta *metav1.TypeMeta, apiVersion, kind string) {
		meta.APIVersion, meta.Kind = apiVersion, kind
	}
	switch o := o.(type) {
	case *corev1.Pod:
		set(&o.TypeMeta, "v1", "Pod")
		return "/api/v1" + in + "pods"
	case *corev1.Event:
		set(&o.TypeMeta, "v1", "Event")
		return "/api/v1" + in + "events"
	case *corev1.Service:
		set(&o.TypeMeta, "v1", "Service")
		return "/api/v1" + in + "services"
	case *corev1.Node:
		set(&o.TypeMeta, "v1", "Node")
		return "/api/v1/nodes"
	case *discoveryv1.EndpointSlice:
		set(&o.TypeMeta, "discovery.k8s.io/v1", "EndpointSlice")
		return "/apis/discovery.k8s.io/v1" + in + "endpointslices"
	case *appsv1.Deployment:
		set(&o.TypeMeta, "apps/v1", "Deployment")
		return "/apis/apps/v1" + in + "deployments"
	case *appsv1.ReplicaSet:
		set(&o.TypeMeta, "apps/v1", "ReplicaSet")
		return "/apis/apps/v1" + in + "replicasets"
	case *appsv1.StatefulSet:
		set(&o.TypeMeta, "apps/v1", "StatefulSet")
		return "/apis/apps/v1" + in + "statefulsets"
	case *appsv1.DaemonSet:
		set(&o.TypeMeta, "apps/v1", "DaemonSet")
		return "/apis/apps/v1" + in + "daemonsets"
	case *appsv1.ControllerRevision:
		set(&o.TypeMeta, "apps/v1", "ControllerRevision")
		return "/apis/apps/v1" + in + "controllerrevisions"
	case *batchv1.Job:
		set(&o.TypeMeta, "batch/v1", "Job")
		return "/apis/batch/v1" + in + "jobs"
	case *unstructured.Unstructured:
		return "/apis/" + o.GetAPIVersion() + in + "databases"
	}
	panic(fmt.Sprintf("no path of %T", o))
}

// epoch is when everything was made.
var epoch = metav1.NewTime(time.Now().Add(-time.Hour).UTC().Truncate(time.Second))

func after(d time.Duration) metav1.Time { return metav1.NewTime(epoch.Add(d)) }

func object(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-of-" + name), Generation: 1, CreationTimestamp: epoch}
}

func ownedBy(meta metav1.ObjectMeta, apiVersion, kind, name string) metav1.ObjectMeta {
	yes := true
	meta.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID("uid-of-" + name), Controller: &yes}}
	return meta
}

func pointer[T any](v T) *T { return &v }

func template(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}},
	}
}

// deployment whose controller has seen it.
func deployment(name, image, revision string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: object(name), Spec: appsv1.DeploymentSpec{Replicas: pointer(int32(1)), Template: template(image)}}
	d.Annotations = map[string]string{"deployment.kubernetes.io/revision": revision}
	d.Status.ObservedGeneration = 1
	return d
}

// replicaSet as the controller of Deployments makes it.
func replicaSet(owner, name, image, revision string) *appsv1.ReplicaSet {
	s := &appsv1.ReplicaSet{
		ObjectMeta: ownedBy(object(name), "apps/v1", "Deployment", owner),
		Spec:       appsv1.ReplicaSetSpec{Replicas: pointer(int32(1)), Template: template(image)},
	}
	s.Annotations = map[string]string{"deployment.kubernetes.io/revision": revision}
	s.Spec.Template.Labels["pod-template-hash"] = name
	return s
}

// pod that is ready.
func pod(kind, owner, name, image string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: ownedBy(object(name), "apps/v1", kind, owner)}
	p.Spec = corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "app", Image: image}}}
	p.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: "10.0.0.1",
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: epoch},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: epoch},
		},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: "app", Ready: true, Started: pointer(true), ImageID: "app@sha256:1",
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: epoch}},
		}},
	}
	return p
}

// unready makes a pod wait.
func unready(p *corev1.Pod, reason string) *corev1.Pod {
	p.Status.Phase = corev1.PodPending
	p.Status.Conditions[1].Status = corev1.ConditionFalse
	p.Status.ContainerStatuses[0] = corev1.ContainerStatus{
		Name: "app", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}},
	}
	return p
}

// warning is an event.
func warning(name, kind, about, reason string, at time.Duration) *corev1.Event {
	return &corev1.Event{
		ObjectMeta: object(name), Type: corev1.EventTypeWarning, Reason: reason, Message: reason + " of " + about, LastTimestamp: after(at),
		InvolvedObject: corev1.ObjectReference{Kind: kind, Namespace: "shop", Name: about, UID: types.UID("uid-of-" + about)},
	}
}
