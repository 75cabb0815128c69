package scenario_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/test/harness"
)

// together is a command that becomes the server once the partner is starting
// too: components that wait for each other come up only side by side.
func together(h *harness.Host, own, partner string) []string {
	return []string{"/bin/sh", "-c", fmt.Sprintf(
		`touch %s.up-$APM_VERSION; until [ -e %s.up-$APM_VERSION ]; do sleep 0.02; done; exec ./server`, h.Path(own), h.Path(partner))}
}

// diamond is an application of four: web on api, api on db and on cache, which
// do not depend on each other. The starts of all are kept in one file.
func diamond(h *harness.Host) (web string) {
	web = h.Address()
	component := func(name, listen string, dependsOn ...string) harness.Component {
		return harness.Component{
			Name: name, Listen: listen, DependsOn: dependsOn,
			Env: map[string]string{"DEMO_STARTS": h.Path("all.starts"), "DEMO_VERSION": name + "-${version}"},
		}
	}
	db, cache := component("db", h.Address()), component("cache", h.Address())
	for c, partner := range map[*harness.Component]string{&db: "cache", &cache: "db"} {
		c.Command = together(h, c.Name, partner)
		c.Spec = fmt.Sprintf(`artifact = "%s/${version}"`, h.Path("artifacts"))
	}
	h.Define(harness.Application{Name: "shop", Components: []harness.Component{
		component("web", web, "api"), component("api", h.Address(), "db", "cache"), db, cache,
	}})
	return web
}

// waves sorts each pair of components that start side by side.
func waves(starts []string) string {
	sorted := slices.Clone(starts)
	for i := 0; i+1 < len(sorted); i++ {
		if strings.HasPrefix(sorted[i], "db-") && strings.HasPrefix(sorted[i+1], "cache-") {
			sorted[i], sorted[i+1] = sorted[i+1], sorted[i]
		}
	}
	return strings.Join(sorted, " ")
}

// TestDependencies brings four components up in order and side by side, and all
// of them back in reverse order when the last one turns bad.
func TestDependencies(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	h.Artifact("v1", "v2")
	web := diamond(h)
	h.Quickly("shop", "v1")
	if got, want := waves(h.Starts("all")), "cache-v1 db-v1 api-v1 web-v1"; got != want {
		t.Errorf("started: %s, want %s", got, want)
	}

	d := h.DeployRequest(apiv1.StartRequest{Name: "shop", Version: "v2", Policy: []byte(`{"bake":"10m"}`)})
	h.Await(d.ID, 0, harness.Status("verifying"))
	h.Serves(web, "web-v2")
	h.Sicken("web", "web-v2")
	h.Ends(d.ID, harness.End{
		Status: "rolled_back", Reason: `^back on v1: component web: check healthz failed 2 times in a row: .*status 503`,
		Path: []string{"preparing", "deploying", "verifying", "rolling_back", "rolled_back"},
	})
	h.Serves(web, "web-v1")
	want := "cache-v1 db-v1 api-v1 web-v1 cache-v2 db-v2 api-v2 web-v2 web-v1 api-v1 cache-v1 db-v1"
	if got := waves(h.Starts("all")); got != want {
		t.Errorf("started: %s, want %s", got, want)
	}

	events := h.Events(d.ID)
	for kind, order := range map[string][]string{"deploy": {"cache", "api", "web"}, "rollback": {"web", "api", "cache"}} {
		course := harness.Course(events, kind)
		for i := 1; i < len(order); i++ {
			if slices.Index(course, "started "+order[i]) < slices.Index(course, "finished "+order[i-1]) {
				t.Errorf("%s: %s is to start after %s has finished: %v", kind, order[i], order[i-1], course)
			}
		}
		at := slices.IndexFunc(course, func(s string) bool { return s == "started cache" || s == "started db" })
		if pair := slices.Sorted(slices.Values(course[at : at+2])); !slices.Equal(pair, []string{"started cache", "started db"}) {
			t.Errorf("%s: cache and db are to run side by side: %v", kind, course)
		}
	}
	for component, want := range map[string][]string{
		"web": {"preparing", "deploying", "verifying", "failed", "rolling_back", "rolled_back"},
		"db":  {"preparing", "deploying", "verifying", "rolling_back", "rolled_back"},
	} {
		if diff := cmp.Diff(want, harness.ComponentPath(events, component)); diff != "" {
			t.Errorf("statuses of %s (-want +got):\n%s", component, diff)
		}
	}
}
