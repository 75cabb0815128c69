package judge

import (
	"fmt"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// broken says why a route of the mesh leads nowhere, and what to do; code is "" of one
// that leads to a pod that is ready.
func (c *court) broken(r *picture.Route) (code, what, todo string) {
	rule := fmt.Sprintf("%s %s%s", r.By.Kind, place(r.By), at(r.Where))
	switch {
	case r.Service.Name == "":
		return sdk.CodeConfigMissing, fmt.Sprintf("%s sends to host %s, which is no Service", rule, r.Host),
			"correct the host, or create the Service; a short name means the namespace of the rule"
	case r.Undefined:
		return sdk.CodeConfigMissing, fmt.Sprintf("%s sends to subset %s of host %s, which no DestinationRule defines", rule, r.Subset, r.Host),
			"define the subset in a DestinationRule of that host, or correct its name"
	}
	for _, name := range r.Pods {
		if p, _ := c.podOf(r.Service.Namespace, picture.Endpoint{Pod: name}); p != nil && p.Ready && alive(p) {
			return "", "", ""
		}
	}
	to := "host " + r.Host
	if r.Subset != "" {
		to = "subset " + r.Subset + " of " + to
	}
	return sdk.CodeOther, fmt.Sprintf("%s sends to %s, where none of %d pods is ready", rule, to, len(r.Pods)),
		"compare the labels of the subset and the selector of the Service with those of the pods: kubectl get pods -n " + r.Service.Namespace + " --show-labels"
}

// astray are the routes that traffic is sent along and that lead nowhere.
func (c *court) astray(since time.Time) []finding {
	var found []finding
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.Weight == 0 {
			continue
		}
		if code, what, todo := c.broken(r); code != "" {
			found = append(found, finding{code: code, resource: ID(r.By), what: what, todo: todo}.after(since, c.policy.Endpoints))
		}
	}
	return found
}

// meshChecks ask each rule whether all its routes lead to a pod that is ready.
func (c *court) meshChecks() []sdk.Check {
	var all []sdk.Check
	index := make(map[string]int)
	for i := range c.Routes {
		r := &c.Routes[i]
		id := ID(r.By)
		n, known := index[id]
		if !known {
			n, index[id] = len(all), len(all)
			all = append(all, sdk.Check{Name: "routes of " + short(r.By), Type: "mesh", Resource: id, Status: sdk.CheckHealthy, Message: "all lead to pods that are ready"})
		}
		if r.Weight == 0 {
			continue
		}
		code, what, _ := c.broken(r)
		switch {
		case code == "" || all[n].Status == sdk.CheckUnhealthy:
		case code == sdk.CodeOther && c.allBlamed():
			all[n].Status, all[n].Message = sdk.CheckDegraded, what
		default:
			all[n].Status, all[n].Message = sdk.CheckUnhealthy, what
		}
	}
	return all
}
