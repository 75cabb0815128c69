package schema_test

import (
	"strings"
	"testing"

	"github.com/apm-deploy/apm/sdk/schema"
)

func TestComplete(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ json, want string }{
		"defaults": {
			`{"command":["x"],"rule":[{"source":"a"}]}`,
			`{"artifact":null,"command":["x"],"debug":null,"env":null,"limits":null,"login":null,"mounts":null,"port":{},"replicas":1,` +
				`"rule":[{"source":"a","target":"/data"}],"small":null,"stop":"10s","weight":null}`,
		},
		"converted": {
			`{"command":["x",5],"rule":[{"source":true}],"replicas":"3","mounts":[{"source":"s"}],"limits":{},"port":{"http":{"listen":80}}}`,
			`{"artifact":null,"command":["x","5"],"debug":null,"env":null,"limits":{"memory":64},"login":null,` +
				`"mounts":[{"source":"s","target":null}],"port":{"http":{"listen":"80","protocol":"http"}},"replicas":3,` +
				`"rule":[{"source":"true","target":"/data"}],"small":null,"stop":"10s","weight":null}`,
		},
	} {
		got, ds := schema.MustOf(spec{}).Complete([]byte(tc.json))
		if len(ds) > 0 || string(got) != tc.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, ds, got, tc.want)
		}
		if ds := schema.Decode(got, &spec{}); len(ds) > 0 {
			t.Errorf("%s: decode what is complete: %v", name, ds)
		}
	}
	for name, tc := range map[string]struct{ json, path, summary string }{
		"empty":           {``, "command", "required"},
		"unknown":         {`{"comand":[]}`, "comand", "unknown name"},
		"type":            {`{"replicas":"many"}`, "replicas", "not of type number"},
		"in object":       {`{"mounts":[{"target":"x"}]}`, "mounts", "not of type"},
		"no object":       {`7`, "", "expected an object"},
		"in block":        {`{"login":{}}`, "login.user", "required"},
		"in list":         {`{"rule":[{"source":"a"},{}]}`, "rule.1.source", "required"},
		"no list":         {`{"rule":{}}`, "rule", "expected a list"},
		"too few":         {`{"rule":[]}`, "rule", "at least 1"},
		"in map":          {`{"port":{"a":{"x":1}}}`, "port.a.x", "unknown name"},
		"map, not object": {`{"port":[]}`, "port", "expected an object"},
	} {
		got, ds := schema.MustOf(spec{}).Complete([]byte(tc.json))
		found := false
		for _, d := range ds {
			found = found || (strings.Join(d.Path, ".") == tc.path && strings.Contains(d.Summary, tc.summary))
		}
		if !found || got != nil {
			t.Errorf("%s: no %q: …%s… in %v; %s", name, tc.path, tc.summary, ds, got)
		}
	}
	two := schema.Schema{Block: schema.Block{Blocks: []schema.NestedBlock{{Name: "b", Nesting: schema.List, MaxItems: 1}}}}
	if _, ds := two.Complete([]byte(`{"b":[{},{}]}`)); !ds.HasErrors() {
		t.Error("too many blocks passed")
	}
}
