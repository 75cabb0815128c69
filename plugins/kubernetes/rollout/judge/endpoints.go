package judge

import (
	"fmt"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// A reach of a Service is which of its ready addresses are whose.
type served struct {
	fresh   int // pods of the newest revision, or of a workload without revisions
	stale   int // pods of an older one
	foreign int // nobody's of the component
	unknown int // addresses that no object stands behind
	unready int
}

// serves looks up the addresses of a Service among the pods.
func (c *court) serves(s *picture.Service) served {
	var r served
	for _, e := range s.Endpoints {
		if !e.Ready {
			r.unready++
			continue
		}
		switch p, l := c.podOf(s.Namespace, e); {
		case p != nil && (p.Newest || !hasRevisions(l.Workload)):
			r.fresh++
		case p != nil:
			r.stale++
		case e.Pod != "":
			r.foreign++
		default:
			r.unknown++
		}
	}
	return r
}

// podOf finds the pod behind an address.
func (c *court) podOf(namespace string, e picture.Endpoint) (*picture.Pod, *lawsuit) {
	for _, l := range c.cases {
		for i := range l.Pods {
			p := &l.Pods[i]
			if p.Namespace == namespace && (e.Pod != "" && p.Name == e.Pod || e.Pod == "" && e.IP != "" && p.IP == e.IP) {
				return p, l
			}
		}
	}
	return nil, nil
}

// unserved are the Services that do not reach what is ready, as findings that become
// verdicts when that lasts.
func (c *court) unserved() []finding {
	want, since := c.ready()
	if want == 0 {
		return nil
	}
	found := c.astray(since)
	for _, m := range c.Missing {
		if m.Object.Kind == "Service" && m.By.Kind == "" {
			found = append(found, finding{
				code: sdk.CodeConfigMissing, resource: ID(m.Object),
				what: fmt.Sprintf("Service %s is not there: nothing leads to the pods", place(m.Object)),
				todo: "create it, add it to the manifests, or correct service_name",
			}.after(since, c.policy.Missing))
		}
	}
	for i := range c.Services {
		s := &c.Services[i]
		r := c.serves(s)
		if s.External || r.fresh > 0 || r.unknown > 0 || c.keepsAll() && r.stale > 0 {
			continue
		}
		f := finding{
			code: sdk.CodeOther, resource: ID(s.Ref),
			what: fmt.Sprintf("Service %s has no ready address of the new pods: %s", place(s.Ref), r),
			todo: fmt.Sprintf("compare its selector with the labels of the pods: kubectl get service %s -n %s -o jsonpath='{.spec.selector}'; kubectl get pods -n %s --show-labels", s.Name, s.Namespace, s.Namespace),
		}
		if len(s.Endpoints) == 0 && len(c.Blind) > 0 {
			f.what = c.unseen(f.what)
			found = append(found, f)
			continue
		}
		found = append(found, f.after(since, c.policy.Endpoints))
	}
	return found
}

// keepsAll says that no pod of the component is to be of the newest revision yet.
func (c *court) keepsAll() bool {
	for _, l := range c.cases {
		if l.goal.counted && hasRevisions(l.Workload) && l.goal.desired > 0 {
			return false
		}
	}
	return true
}

// ready is how many pods could be served, and since when all of them are ready.
func (c *court) ready() (n int, since time.Time) {
	for _, l := range c.cases {
		if k := kindOf(l.Ref); k == kindJob || k == kindCronJob {
			continue
		}
		for i := range l.Pods {
			p := &l.Pods[i]
			if !alive(p) || !p.Ready {
				continue
			}
			n++
			if r, found := condition(p.Conditions, "Ready"); found && r.Since.After(since) {
				since = r.Since
			}
		}
	}
	return n, since
}

// String is what the Service has instead.
func (r served) String() string {
	switch {
	case r.stale > 0:
		return fmt.Sprintf("%d of old pods", r.stale)
	case r.foreign > 0:
		return fmt.Sprintf("%d of pods that are not of this component", r.foreign)
	case r.unready > 0:
		return fmt.Sprintf("%d that are not ready", r.unready)
	default:
		return "it has none at all"
	}
}
