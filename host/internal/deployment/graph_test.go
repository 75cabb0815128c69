package deployment_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

func TestWaves(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		graph deployment.Graph
		want  [][]string
	}{
		"nothing": {graph: deployment.Graph{}},
		"one":     {graph: deployment.Graph{"web": nil}, want: [][]string{{"web"}}},
		"side by side": {
			graph: deployment.Graph{"web": nil, "api": nil, "db": nil},
			want:  [][]string{{"api", "db", "web"}},
		},
		"chain": {
			graph: deployment.Graph{"web": {"api"}, "api": {"db"}, "db": nil},
			want:  [][]string{{"db"}, {"api"}, {"web"}},
		},
		"diamond": {
			graph: deployment.Graph{"web": {"cart", "search"}, "cart": {"db"}, "search": {"db"}, "db": nil},
			want:  [][]string{{"db"}, {"cart", "search"}, {"web"}},
		},
		"the longest way counts": {
			graph: deployment.Graph{"web": {"db", "api"}, "api": {"db"}, "db": nil, "mail": nil},
			want:  [][]string{{"db", "mail"}, {"api"}, {"web"}},
		},
		"a dependency written twice": {
			graph: deployment.Graph{"web": {"db", "db"}, "db": nil},
			want:  [][]string{{"db"}, {"web"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := test.graph.Waves()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWavesWritesTheCycleOut(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		graph deployment.Graph
		want  string
	}{
		"of one":   {graph: deployment.Graph{"web": {"web"}}, want: "order components: cycle web → web"},
		"of two":   {graph: deployment.Graph{"web": {"api"}, "api": {"web"}}, want: "order components: cycle api → web → api"},
		"of three": {graph: deployment.Graph{"a": {"b"}, "b": {"c"}, "c": {"a"}, "z": nil}, want: "order components: cycle a → b → c → a"},
		"without those that only lead to it": {
			graph: deployment.Graph{"a": {"m"}, "m": {"n"}, "n": {"m", "z"}, "z": nil},
			want:  "order components: cycle m → n → m",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waves, err := test.graph.Waves()
			if err == nil {
				t.Fatalf("waves %v of a cycle", waves)
			}
			if err.Error() != test.want {
				t.Errorf("got %q, want %q", err, test.want)
			}
		})
	}
}

func TestGraphOfLeavesOutWhatIsNotThere(t *testing.T) {
	t.Parallel()
	got := deployment.GraphOf([]deployment.Component{
		{Name: "web", DependsOn: []string{"api", "gone"}},
		{Name: "api"},
	})
	want := deployment.Graph{"web": {"api"}, "api": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReverse(t *testing.T) {
	t.Parallel()
	got := deployment.Graph{"web": {"db"}, "api": {"db"}, "db": nil}.Reverse()
	slices.Sort(got["db"])
	want := deployment.Graph{"db": {"api", "web"}, "web": nil, "api": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// graphs draws graphs with or without cycles: each edge leads to a lower number
// unless cycles are wanted.
func graphs(cycles bool) *rapid.Generator[deployment.Graph] {
	return rapid.Custom(func(t *rapid.T) deployment.Graph {
		count := rapid.IntRange(1, 12).Draw(t, "components")
		graph := deployment.Graph{}
		for i := range count {
			graph[fmt.Sprintf("c%02d", i)] = nil
		}
		for i := range count {
			limit := i
			if cycles {
				limit = count
			}
			for j := range limit {
				if rapid.IntRange(0, 2).Draw(t, "edge") == 0 {
					name := fmt.Sprintf("c%02d", i)
					graph[name] = append(graph[name], fmt.Sprintf("c%02d", j))
				}
			}
		}
		return graph
	})
}

func TestWavesProperties(t *testing.T) {
	t.Parallel()
	t.Run("every dependency is in an earlier wave", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			graph := graphs(false).Draw(t, "graph")
			at := placesOf(t, graph)
			for name, dependencies := range graph {
				latest := -1
				for _, dependency := range dependencies {
					if at[dependency] >= at[name] {
						t.Fatalf("%s in wave %d depends on %s in wave %d", name, at[name], dependency, at[dependency])
					}
					latest = max(latest, at[dependency])
				}
				if at[name] != latest+1 {
					t.Fatalf("%s waits for wave %d although its dependencies end with wave %d", name, at[name], latest)
				}
			}
		})
	})
	t.Run("reversed, every dependent is in an earlier wave", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			graph := graphs(false).Draw(t, "graph")
			at := placesOf(t, graph.Reverse())
			for name, dependencies := range graph {
				for _, dependency := range dependencies {
					if at[name] >= at[dependency] {
						t.Fatalf("%s goes back in wave %d, what it depends on, %s, in wave %d", name, at[name], dependency, at[dependency])
					}
				}
			}
		})
	})
	t.Run("a cycle that is named is one", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			graph := graphs(true).Draw(t, "graph")
			_, err := graph.Waves()
			if err == nil {
				placesOf(t, graph)
				return
			}
			_, text, found := strings.Cut(err.Error(), "cycle ")
			path := strings.Split(text, " → ")
			if !found || len(path) < 2 || path[0] != path[len(path)-1] {
				t.Fatalf("%q names no cycle", err)
			}
			for i := 1; i < len(path); i++ {
				if !slices.Contains(graph[path[i-1]], path[i]) {
					t.Fatalf("%q: %s does not depend on %s", err, path[i-1], path[i])
				}
			}
		})
	})
}

// placesOf returns the wave of each name, each name being in exactly one.
func placesOf(t *rapid.T, graph deployment.Graph) map[string]int {
	waves, err := graph.Waves()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, wave := range waves {
		if !slices.IsSorted(wave) || len(wave) == 0 {
			t.Fatalf("wave %v is empty or not sorted", wave)
		}
		for _, name := range wave {
			if _, twice := at[name]; twice {
				t.Fatalf("%s is in two waves", name)
			}
			at[name] = i
		}
	}
	if len(at) != len(graph) {
		t.Fatalf("%d of %d components are in a wave", len(at), len(graph))
	}
	return at
}
