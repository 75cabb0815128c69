package follow

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

type serviceRecord struct {
	head
	service picture.Service // without endpoints
}

func (r *reader) service(s *corev1.Service) *serviceRecord {
	return &serviceRecord{head: r.head(&s.ObjectMeta), service: picture.Service{
		Ref:      r.ref("v1", "Service", &s.ObjectMeta),
		External: len(s.Spec.Selector) == 0 || s.Spec.Type == corev1.ServiceTypeExternalName,
	}}
}

// sliceRecord is an EndpointSlice, below its Service.
type sliceRecord struct {
	head
	endpoints []picture.Endpoint
}

func (r *reader) endpointSlice(s *discoveryv1.EndpointSlice) *sliceRecord {
	record := &sliceRecord{head: head{
		name: s.Name, uid: string(s.UID), version: s.ResourceVersion,
		parent: parent{kind: "Service", name: r.one(s.Labels[discoveryv1.LabelServiceName])},
	}}
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		pod := ""
		if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
			pod = r.one(e.TargetRef.Name)
		}
		for _, address := range e.Addresses {
			record.endpoints = append(record.endpoints, picture.Endpoint{
				IP: r.one(address), Pod: pod, Ready: e.Conditions.Ready == nil || *e.Conditions.Ready,
			})
		}
	}
	return record
}

// endpoints of all slices, each once: while a slice is split, an address may be in two.
func endpoints(slicesOf []record) []picture.Endpoint {
	var all []picture.Endpoint
	for _, r := range only[*sliceRecord](slicesOf) {
		all = append(all, r.endpoints...)
	}
	slices.SortFunc(all, func(a, b picture.Endpoint) int {
		return cmp.Or(cmp.Compare(a.IP, b.IP), cmp.Compare(a.Pod, b.Pod), ready(b.Ready)-ready(a.Ready))
	})
	return slices.CompactFunc(all, func(a, b picture.Endpoint) bool { return a.IP == b.IP && a.Pod == b.Pod })
}

func ready(is bool) int {
	if is {
		return 1
	}
	return 0
}
