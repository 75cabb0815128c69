package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// A schema of a plugin in another language may hold what no Go struct gives.
func TestDecodeAgainstAnySchema(t *testing.T) {
	t.Parallel()
	rule := schema.Block{Attributes: []schema.Attribute{
		{Name: "from", Type: "object({ host = string, port = optional(number, 80) })"},
		{Name: "old", Type: "string", Deprecated: true, Description: "Use from. It says more."},
	}}
	s := schema.Schema{Block: schema.Block{
		Attributes: []schema.Attribute{
			{Name: "home", Type: "string", Path: true, Default: `"sub"`},
			{Name: "weights", Type: "map(list(number))"},
		},
		Blocks: []schema.NestedBlock{
			{Name: "rule", Nesting: schema.List, Block: rule, MinItems: 2, MaxItems: 3},
			{Name: "auth", Nesting: schema.Single, Block: rule, MinItems: 1},
		},
	}}
	const platform = "platform \"p\" {\n  plugin = \"process\"\n"
	const auth = "  auth {}\n"
	const one, two = "  rule {}\n", "  rule {\n    from = { host = \"h\" }\n    old  = \"x\"\n  }\n"
	dir := write(t, map[string]string{"config.hcl": minimal + platform + auth + one + two + "}\n"})
	c := load(t, dir)
	got, warnings, err := c.DecodePlatform("p", s)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"auth":{"from":null,"old":null},"home":"` + dir + `/sub","rule":[{"from":null,"old":null},{"from":{"host":"h","port":80},"old":"x"}],"weights":null}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("config.hcl:17:5: \"old\" is deprecated; use from. It says more.\n    old  = \"x\"", render(dir, warnings)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	var ds diag.Diagnostics
	ds.Errorf([]string{"rule", "1", "from", "host"}, "no such host")
	ds.Errorf([]string{"rule", "7"}, "no such rule")
	ds.Errorf([]string{"auth", "from"}, "nobody")
	ds.Errorf([]string{"other"}, "strange")
	wantLocated := `config.hcl:16:21: rule[1].from.host: no such host
    from = { host = "h" }
config.hcl:14:3: rule[7]: no such rule
    rule {}
config.hcl:13:3: auth.from: nobody
    auth {}
config.hcl:11:1: other: strange
    platform "p" {`
	if diff := cmp.Diff(wantLocated, render(dir, c.LocatePlatform("p", s, ds))); diff != "" {
		t.Errorf("located (-want +got):\n%s", diff)
	}

	for text, want := range map[string]string{
		auth + one:                   "config.hcl:11:1: 2 blocks \"rule\" are needed, there are 1; add rule { … }\n    platform \"p\" {",
		one + one:                    "config.hcl:11:1: missing block \"auth\"; add auth { … }\n    platform \"p\" {",
		auth + one + one + one + one: "config.hcl:17:3: at most 3 blocks \"rule\" can stand here, there are 4; remove those that are too many\n    rule {}",
		auth + one + one + "  weights = { a = [1], b = [2, []] }\n": "config.hcl:16:32: wrong type for \"weights\": number required, but have tuple; its type is map(list(number))\n" +
			"    weights = { a = [1], b = [2, []] }",
	} {
		put(t, dir, "config.hcl", minimal+platform+text+"}\n")
		_, _, err := load(t, dir).DecodePlatform("p", s)
		if diff := cmp.Diff(want, problems(t, dir, err)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}

	put(t, dir, "config.hcl", minimal+platform+"}\n")
	bad := schema.Schema{Block: schema.Block{Attributes: []schema.Attribute{{Name: "x", Type: "list("}, {Name: "y", Type: "number", Default: `"z"`}}}}
	_, _, err = load(t, dir).DecodePlatform("p", bad)
	if got := problems(t, dir, err); len(got) == 0 {
		t.Error("a schema that cannot be read was accepted")
	}
}
