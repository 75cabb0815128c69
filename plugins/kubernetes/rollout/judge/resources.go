package judge

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// resources is the tree: Service; workload, revision, pod, container.
func (c *court) resources() []sdk.Resource {
	var all []sdk.Resource
	for _, l := range c.cases {
		all = append(all, c.workload(l))
		revisions := make(map[string]string, len(l.Revisions))
		for i := range l.Revisions {
			r := &l.Revisions[i]
			if resource, there := c.revision(l, r); there {
				revisions[r.Name] = resource.ID
				all = append(all, resource)
			}
		}
		for i := range l.Pods {
			p := &l.Pods[i]
			if ID(p.Ref) == l.id { // a pod of its own
				all = append(all, c.containers(l, p)...)
				continue
			}
			all = append(all, c.pod(l, p, cmp.Or(revisions[p.Revision], l.id)))
			all = append(all, c.containers(l, p)...)
		}
	}
	for i := range c.Services {
		all = append(all, c.service(&c.Services[i]))
	}
	for _, check := range c.meshChecks() {
		if slices.ContainsFunc(all, func(r sdk.Resource) bool { return r.ID == check.Resource }) {
			continue // it is one of the workloads
		}
		by := c.Routes[slices.IndexFunc(c.Routes, func(r picture.Route) bool { return ID(r.By) == check.Resource })].By
		r := sdk.Resource{ID: check.Resource, Kind: by.Kind, Name: by.Name, Health: sdk.ResourceReady}
		if check.Status != sdk.CheckHealthy {
			r.Health, r.Message = sdk.ResourceDegraded, check.Message
		}
		all = append(all, r)
	}
	return all
}

func (c *court) workload(l *lawsuit) sdk.Resource {
	r := sdk.Resource{
		ID: l.id, Kind: l.Kind, Name: l.Name, Revision: l.Revision, Message: l.goal.why, Health: sdk.ResourcePending,
		Desired: count(l.Desired), Ready: count(l.Ready), Restarts: 0,
	}
	for i := range l.Pods {
		r.Restarts += restarts(&l.Pods[i])
	}
	switch f := worst(l.findings, c.At); {
	case l.goal.complete:
		r.Health = sdk.ResourceReady
	case f != nil && f.due(c.At):
		r.Health, r.Reason, r.Message = health(f), f.code, f.what
	case f != nil:
		r.Reason, r.Message = f.code, f.what
	case !l.goal.observed:
		r.Reason = "NotObserved"
	case l.Paused:
		r.Reason = "Paused"
	}
	return r
}

// health of what a verdict is about.
func health(f *finding) sdk.ResourceHealth {
	if f.environment {
		return sdk.ResourceDegraded
	}
	return sdk.ResourceFailed
}

// revision is shown while it has, or is to have, pods.
func (c *court) revision(l *lawsuit, v *picture.Revision) (sdk.Resource, bool) {
	r := sdk.Resource{
		ID: ID(v.Ref), ParentID: l.id, Kind: v.Kind, Name: v.Name, Revision: v.Number, Health: sdk.ResourceReady,
		Desired: count(v.Desired), Ready: count(v.Ready),
	}
	pods, ready := 0, 0
	for i := range l.Pods {
		if p := &l.Pods[i]; p.Revision == v.Name {
			pods++
			r.Restarts += restarts(p)
			if p.Ready && alive(p) {
				ready++
			}
		}
	}
	if !v.Newest && v.Desired == 0 && pods == 0 {
		return r, false
	}
	if v.Kind == "ControllerRevision" { // counts nothing itself
		r.Desired, r.Ready = uint32(pods), uint32(ready) //nolint:gosec // number of pods
	}
	if r.Ready < r.Desired {
		r.Health = sdk.ResourcePending
	}
	if !v.Newest {
		r.Reason = "Old"
	}
	if v.Failure != "" && !l.goal.complete {
		r.Health, r.Reason, r.Message = sdk.ResourceDegraded, "FailedCreate", v.Failure
	}
	return r, true
}

func (c *court) pod(l *lawsuit, p *picture.Pod, parent string) sdk.Resource {
	r := sdk.Resource{
		ID: ID(p.Ref), ParentID: parent, Kind: "Pod", Name: p.Name, Revision: p.Revision, Health: sdk.ResourcePending,
		Restarts: restarts(p), Reason: p.Reason, Message: p.Message,
	}
	for i := range p.Containers {
		if k := &p.Containers[i]; !k.Init || k.Sidecar {
			r.Desired++
			if k.Ready {
				r.Ready++
			}
		}
	}
	f := reasonFor(l.findings, c.At, func(f finding) bool { return f.pod == p })
	switch {
	case !p.Deleted.IsZero():
		r.Health, r.Reason = sdk.ResourceDegraded, "Terminating"
	case p.Phase == "Succeeded":
		r.Health, r.Reason = sdk.ResourceReady, "Completed"
	case p.Phase == "Failed":
		r.Health, r.Reason = sdk.ResourceFailed, cmp.Or(p.Reason, "Failed")
	case f != nil:
		r.Reason, r.Message = f.code, f.what
		if f.due(c.At) {
			r.Health = health(f)
		}
	case p.Ready:
		r.Health = sdk.ResourceReady
	case c.lostReady(p):
		r.Health, r.Reason = sdk.ResourceDegraded, cmp.Or(r.Reason, "NotReady")
	}
	return r
}

func (c *court) containers(l *lawsuit, p *picture.Pod) []sdk.Resource {
	all := make([]sdk.Resource, 0, len(p.Containers))
	for i := range p.Containers {
		k := &p.Containers[i]
		r := sdk.Resource{
			ID: ContainerID(p.Ref, k.Name), ParentID: ID(p.Ref), Kind: containerKind, Name: k.Name, Revision: k.Image,
			Health: sdk.ResourcePending, Restarts: count(k.Restarts), Reason: k.State.Reason, Message: k.State.Message,
		}
		f := reasonFor(l.findings, c.At, func(f finding) bool { return f.pod == p && f.container == k })
		switch last, ended := ending(k); {
		case k.Init && !k.Sidecar && k.State.Kind == terminated && k.State.ExitCode == 0,
			k.State.Kind == terminated && p.Phase == "Succeeded":
			r.Health = sdk.ResourceReady
		case f != nil:
			r.Reason, r.Message = f.code, f.what
			if f.due(c.At) {
				r.Health = health(f)
			}
		case k.Ready && k.State.Kind == running:
			r.Health = sdk.ResourceReady
			if ended && k.Restarts > 0 {
				r.Message = fmt.Sprintf("started again %s, the last time after %s", times(int(k.Restarts)), exit(last))
			}
		case k.State.Kind == terminated:
			r.Health, r.Message = sdk.ResourceFailed, exit(k.State)
		case k.Restarts > 0 || c.lostReady(p):
			r.Health = sdk.ResourceDegraded
		}
		all = append(all, r)
	}
	return all
}

func (c *court) service(s *picture.Service) sdk.Resource {
	r := sdk.Resource{ID: ID(s.Ref), Kind: "Service", Name: s.Name, Health: sdk.ResourceReady}
	for _, e := range s.Endpoints {
		r.Desired++
		if e.Ready {
			r.Ready++
		}
	}
	if s.External {
		return r
	}
	switch served := c.serves(s); {
	case r.Ready == 0:
		r.Health, r.Reason, r.Message = sdk.ResourceDegraded, "NoEndpoints", "no address of it is ready"
	case served.fresh == 0 && served.unknown == 0:
		r.Health, r.Message = sdk.ResourcePending, "no ready address of the new pods yet: "+served.String()
	}
	return r
}

func restarts(p *picture.Pod) uint32 {
	var n uint32
	for i := range p.Containers {
		n += count(p.Containers[i].Restarts)
	}
	return n
}

func count(n int32) uint32 { return uint32(max(n, 0)) }
