package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// checkDependencies refuses dependencies that are not there, stand twice, or
// lead back to where they began.
func (w *work) checkDependencies(components []component, defs []deployment.ComponentDefinition) {
	names := componentNames(components)
	edges := map[string][]string{}
	at := map[string]place{}
	for i, def := range defs {
		at[def.Name] = dependsAt(components[i], -1)
		for n, on := range def.DependsOn {
			here := dependsAt(components[i], n)
			switch {
			case on == def.Name:
				w.ps.add(here, "remove it", "component %s depends on itself", quote(on))
			case !slices.Contains(names, on):
				w.ps.add(here, suggest(on, names), "component %s depends on %s, which is no component of %s in %s", quote(def.Name), quote(on), quote(w.req.Name), quote(w.env))
			case slices.Contains(def.DependsOn[:n], on):
				w.ps.add(here, "remove it", "component %s stands twice", quote(on))
			default:
				edges[def.Name] = append(edges[def.Name], on)
			}
		}
	}
	if cycle := findCycle(names, edges); cycle != nil {
		w.ps.add(at[cycle[0]], "remove one of these dependencies", "components depend on each other in a circle: %s", strings.Join(cycle, " → "))
	}
}

// dependsAt is where a component's dependency n stands, or the whole list.
func dependsAt(c component, n int) place {
	for _, layer := range slices.Backward(c.layers) {
		if a := layer.attr("depends_on"); a != nil {
			if n < 0 {
				return a.at
			}
			return a.in([]string{strconv.Itoa(n)})
		}
	}
	return c.at
}

// findCycle returns the first circle, its beginning repeated at the end, or nil.
func findCycle(names []string, edges map[string][]string) []string {
	done := map[string]bool{}
	var path []string
	var visit func(string) []string
	visit = func(name string) []string {
		if i := slices.Index(path, name); i >= 0 {
			return append(slices.Clone(path[i:]), name)
		}
		if done[name] {
			return nil
		}
		path = append(path, name)
		for _, on := range edges[name] {
			if cycle := visit(on); cycle != nil {
				return cycle
			}
		}
		path = path[:len(path)-1]
		done[name] = true
		return nil
	}
	for _, name := range names {
		if cycle := visit(name); cycle != nil {
			return cycle
		}
	}
	return nil
}
