package rollout

import (
	"fmt"
	"net"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// addresses are those of Services, by the names of their ports.
func (s *scene) addresses(services []string) map[string]string {
	all := map[string]string{}
	keys := parseKeys(services)
	for _, k := range keys {
		o := s.objects[k]
		if o == nil {
			continue
		}
		host := hostOf(o)
		ports, _, err := unstructured.NestedSlice(o.Object, "spec", "ports")
		if host == "" || err != nil {
			continue
		}
		for _, one := range ports {
			port, _ := one.(map[string]any)
			number := fmt.Sprint(port["port"])
			name, _ := port["name"].(string)
			if name == "" {
				name = number
			}
			if len(keys) > 1 {
				name = k.Name + "-" + name
			}
			all[name] = net.JoinHostPort(host, number)
		}
	}
	return all
}

// hostOf a Service: that of its load balancer, or its cluster IP.
func hostOf(o *unstructured.Unstructured) string {
	ingress, _, err := unstructured.NestedSlice(o.Object, "status", "loadBalancer", "ingress")
	if err == nil && len(ingress) > 0 {
		first, _ := ingress[0].(map[string]any)
		for _, field := range []string{"ip", "hostname"} {
			if host, _ := first[field].(string); host != "" {
				return host
			}
		}
	}
	host, _, err := unstructured.NestedString(o.Object, "spec", "clusterIP")
	if err != nil || host == "None" {
		return ""
	}
	return host
}
