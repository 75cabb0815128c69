package deployment

import (
	"fmt"
	"sort"
	"strings"
)

// Graph is the dependency graph of components: name → names it depends on.
type Graph map[string][]string

// GraphOf returns the graph of a deployment's components. Dependencies on
// components that are not there are left out.
func GraphOf(components []Component) Graph {
	g := Graph{}
	for _, c := range components {
		g[c.Name] = nil
	}
	for _, c := range components {
		for _, dependency := range c.DependsOn {
			if _, there := g[dependency]; there {
				g[c.Name] = append(g[c.Name], dependency)
			}
		}
	}
	return g
}

// Waves returns the names in the order in which they may start: all of a wave
// side by side, each after the waves before it. Within a wave names are sorted.
// A cycle is an error that writes it out.
func (g Graph) Waves() ([][]string, error) {
	missing := make(map[string]int, len(g))
	for name, dependencies := range g {
		missing[name] = len(dependencies)
	}
	dependents := g.Reverse()
	var waves [][]string
	for len(missing) > 0 {
		var wave []string
		for name, count := range missing {
			if count == 0 {
				wave = append(wave, name)
			}
		}
		if len(wave) == 0 {
			return nil, fmt.Errorf("order components: cycle %s", strings.Join(g.cycle(missing), " → "))
		}
		sort.Strings(wave)
		for _, name := range wave {
			delete(missing, name)
			for _, dependent := range dependents[name] {
				if _, open := missing[dependent]; open {
					missing[dependent]--
				}
			}
		}
		waves = append(waves, wave)
	}
	return waves, nil
}

// Reverse returns the graph of dependents.
func (g Graph) Reverse() Graph {
	reversed := make(Graph, len(g))
	for name := range g {
		reversed[name] = nil
	}
	for name, dependencies := range g {
		for _, dependency := range dependencies {
			reversed[dependency] = append(reversed[dependency], name)
		}
	}
	return reversed
}

// cycle walks from the first of the names that are left until it meets one
// twice.
func (g Graph) cycle(left map[string]int) []string {
	names := make([]string, 0, len(left))
	for name := range left {
		names = append(names, name)
	}
	sort.Strings(names)
	seen := map[string]int{}
	var path []string
	at := names[0]
	for {
		if start, met := seen[at]; met {
			return append(path[start:], at)
		}
		seen[at] = len(path)
		path = append(path, at)
		for _, dependency := range g[at] {
			if _, there := left[dependency]; there {
				at = dependency
				break
			}
		}
	}
}
