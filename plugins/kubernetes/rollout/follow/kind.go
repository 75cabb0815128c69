package follow

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A kind is one that is built in: how it is read and what is kept of it.
type kind struct {
	name     string
	resource string
	version  schema.GroupVersion
	list     func() runtime.Object
}

func (k *kind) is(apiVersion, name string) bool {
	group, err := schema.ParseGroupVersion(apiVersion)
	return err == nil && group.Group == k.version.Group && name == k.name
}

// The kinds that are built in.
var (
	pods     = &kind{"Pod", "pods", corev1.SchemeGroupVersion, func() runtime.Object { return &corev1.PodList{} }}
	events   = &kind{"Event", "events", corev1.SchemeGroupVersion, func() runtime.Object { return &corev1.EventList{} }}
	services = &kind{"Service", "services", corev1.SchemeGroupVersion, func() runtime.Object { return &corev1.ServiceList{} }}
	nodes    = &kind{"Node", "nodes", corev1.SchemeGroupVersion, func() runtime.Object { return &corev1.NodeList{} }}

	endpointSlices = &kind{
		"EndpointSlice", "endpointslices", discoveryv1.SchemeGroupVersion,
		func() runtime.Object { return &discoveryv1.EndpointSliceList{} },
	}
	deployments  = &kind{"Deployment", "deployments", appsv1.SchemeGroupVersion, func() runtime.Object { return &appsv1.DeploymentList{} }}
	replicaSets  = &kind{"ReplicaSet", "replicasets", appsv1.SchemeGroupVersion, func() runtime.Object { return &appsv1.ReplicaSetList{} }}
	statefulSets = &kind{
		"StatefulSet", "statefulsets", appsv1.SchemeGroupVersion,
		func() runtime.Object { return &appsv1.StatefulSetList{} },
	}
	daemonSets          = &kind{"DaemonSet", "daemonsets", appsv1.SchemeGroupVersion, func() runtime.Object { return &appsv1.DaemonSetList{} }}
	controllerRevisions = &kind{
		"ControllerRevision", "controllerrevisions", appsv1.SchemeGroupVersion,
		func() runtime.Object { return &appsv1.ControllerRevisionList{} },
	}
	jobs     = &kind{"Job", "jobs", batchv1.SchemeGroupVersion, func() runtime.Object { return &batchv1.JobList{} }}
	cronJobs = &kind{"CronJob", "cronjobs", batchv1.SchemeGroupVersion, func() runtime.Object { return &batchv1.CronJobList{} }}
)

// workloads are the kinds that are known by heart, with what their pictures are made of.
var workloads = map[*kind][]*kind{
	deployments:  {deployments, replicaSets, pods, events},
	statefulSets: {statefulSets, controllerRevisions, pods, events},
	daemonSets:   {daemonSets, controllerRevisions, pods, events},
	replicaSets:  {replicaSets, pods, events},
	jobs:         {jobs, pods, events},
	cronJobs:     {cronJobs, jobs, pods, events},
	pods:         {pods, events},
}

// known returns the built-in kind of a workload, or nil.
func known(apiVersion, name string) *kind {
	for k := range workloads {
		if k.is(apiVersion, name) {
			return k
		}
	}
	return nil
}

// record of an object; nil of what nobody needs.
func (r *reader) record(object any) record {
	switch o := object.(type) {
	case record:
		return o // it has been here before
	case *corev1.Pod:
		return r.pod(o)
	case *corev1.Event:
		if e := r.event(o); e != nil {
			return e
		}
	case *corev1.Service:
		return r.service(o)
	case *corev1.Node:
		return r.node(o)
	case *discoveryv1.EndpointSlice:
		return r.endpointSlice(o)
	case *appsv1.Deployment:
		return r.deployment(o)
	case *appsv1.ReplicaSet:
		return r.replicaSet(o)
	case *appsv1.StatefulSet:
		return r.statefulSet(o)
	case *appsv1.DaemonSet:
		return r.daemonSet(o)
	case *appsv1.ControllerRevision:
		return r.controllerRevision(o)
	case *batchv1.Job:
		return r.job(o)
	case *batchv1.CronJob:
		return r.cronJob(o)
	case *unstructured.Unstructured:
		return r.generic(o)
	}
	return nil
}

// at is where the kind is read for a namespace.
func (k *kind) at(namespace string) place {
	return place{apiVersion: k.version.String(), kind: k.name, namespace: namespace}
}
