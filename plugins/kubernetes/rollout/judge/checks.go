package judge

import (
	"fmt"
	"strings"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// checks are the health questions about what runs: one per workload, per container (over
// all its pods) and per Service, so that their names outlive the pods.
//
// Healthy is what all pods are, unhealthy what none is or what cannot get better by itself,
// degraded all between: also what the environment is to blame for, which is no reason to
// roll back.
func (c *court) checks() []sdk.Check {
	var all []sdk.Check
	for _, l := range c.cases {
		switch kindOf(l.Ref) {
		case kindJob:
			all = append(all, c.jobCheck(l))
		case kindCronJob:
			all = append(all, sdk.Check{Name: "schedule of " + short(l.Ref), Type: "schedule", Status: sdk.CheckHealthy, Message: l.goal.why, Resource: l.id})
		case kindOther:
			if check, is := c.statusCheck(l); is {
				all = append(all, check)
			}
		default:
			all = append(all, c.replicasCheck(l))
			all = append(all, c.probeChecks(l)...)
		}
	}
	for i := range c.Services {
		all = append(all, c.endpointsCheck(&c.Services[i]))
	}
	return append(all, c.meshChecks()...)
}

// replicasCheck asks whether as many pods are ready as there are to be.
func (c *court) replicasCheck(l *lawsuit) sdk.Check {
	check := sdk.Check{Name: "replicas of " + short(l.Ref), Type: "replicas", Resource: l.id}
	seen, ready := 0, 0
	for i := range l.Pods {
		if p := &l.Pods[i]; alive(p) {
			seen++
			if p.Ready {
				ready++
			}
		}
	}
	want := int(l.Desired)
	check.Message = fmt.Sprintf("%d of %d pods are ready", ready, want)
	switch f := worst(only(l.findings, func(f finding) bool { return f.pod == nil }), c.At); {
	case seen == 0 && want > 0 && len(c.Blind) > 0:
		check.Status, check.Message = sdk.CheckUnknown, c.unseen("no pod was seen")
	case f != nil && f.due(c.At) && !f.environment:
		check.Status, check.Message = sdk.CheckUnhealthy, f.what
	case ready >= want && l.goal.observed:
		check.Status = sdk.CheckHealthy
	case ready > 0 || c.blamed(l):
		check.Status = sdk.CheckDegraded
	default:
		check.Status = sdk.CheckUnhealthy
	}
	return check
}

// blamed says that the environment is to blame for the worst of what was found.
func (c *court) blamed(l *lawsuit) bool {
	f := worst(l.findings, c.At)
	return f != nil && f.environment
}

func (c *court) jobCheck(l *lawsuit) sdk.Check {
	check := sdk.Check{Name: "completion of " + short(l.Ref), Type: "job", Resource: l.id, Message: l.goal.why, Status: sdk.CheckDegraded}
	switch f := worst(l.findings, c.At); {
	case l.goal.complete:
		check.Status = sdk.CheckHealthy
	case f != nil && f.due(c.At) && !f.environment:
		check.Status, check.Message, check.Resource = sdk.CheckUnhealthy, f.what, f.resource
	}
	return check
}

// statusCheck is that of kinds that we know by their status alone. Those that have none
// are asked nothing.
func (c *court) statusCheck(l *lawsuit) (sdk.Check, bool) {
	check := sdk.Check{Name: "status of " + short(l.Ref), Type: "status", Resource: l.id, Message: l.goal.why, Status: sdk.CheckDegraded}
	group, _, _ := strings.Cut(l.APIVersion, "/")
	switch {
	case l.Generic == nil || stateless[group]:
		return check, false
	case l.goal.complete:
		check.Status = sdk.CheckHealthy
	case l.Generic.Status == "Failed":
		check.Status = sdk.CheckUnhealthy
	case l.Generic.Status == "Unknown":
		check.Status = sdk.CheckUnknown
	}
	return check, true
}

// endpointsCheck asks whether the Service leads to the newest revision.
func (c *court) endpointsCheck(s *picture.Service) sdk.Check {
	check := sdk.Check{Name: "endpoints of service/" + s.Name, Type: "endpoint", Resource: ID(s.Ref), Status: sdk.CheckHealthy}
	r := c.serves(s)
	ready := r.fresh + r.stale + r.unknown + r.foreign
	want, _ := c.ready()
	check.Message = fmt.Sprintf("%d ready addresses, %d of them of the newest revision", ready, r.fresh)
	switch {
	case s.External:
		check.Message = "its addresses are not made from pods"
	case len(s.Endpoints) == 0 && len(c.Blind) > 0:
		check.Status, check.Message = sdk.CheckUnknown, c.unseen("no address was seen")
	case r.fresh > 0 || r.unknown > 0 || c.keepsAll() && r.stale > 0:
	case r.stale > 0:
		check.Status, check.Message = sdk.CheckDegraded, "no ready address of the newest revision yet: "+r.String()
	case want == 0 && c.scaledAway():
		check.Message = "no pod is wanted, so it has no address"
	case want == 0 && c.allBlamed():
		check.Status, check.Message = sdk.CheckDegraded, "no ready address: "+r.String()
	default:
		check.Status, check.Message = sdk.CheckUnhealthy, "no ready address of a pod of this component: "+r.String()
	}
	return check
}

func (c *court) scaledAway() bool {
	for _, l := range c.cases {
		if l.Desired > 0 {
			return false
		}
	}
	return len(c.cases) > 0
}

// allBlamed says that what is not complete is held up by the environment.
func (c *court) allBlamed() bool {
	blamed := false
	for _, l := range c.cases {
		if l.goal.complete {
			continue
		}
		if !c.blamed(l) {
			return false
		}
		blamed = true
	}
	return blamed
}
