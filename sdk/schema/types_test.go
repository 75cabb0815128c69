package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/apm-deploy/apm/sdk/schema"
)

func TestAttributeCtyType(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]cty.Type{
		"string":                         cty.String,
		" number ":                       cty.Number,
		"bool":                           cty.Bool,
		"list(string)":                   cty.List(cty.String),
		"set( number )":                  cty.Set(cty.Number),
		"map(list(bool))":                cty.Map(cty.List(cty.Bool)),
		"object({})":                     cty.EmptyObject,
		"object({a = string})":           cty.Object(map[string]cty.Type{"a": cty.String}),
		"object({a=string,b-c=number,})": cty.Object(map[string]cty.Type{"a": cty.String, "b-c": cty.Number}),
		"object({\n  a = string\n  b = optional(list(string))\n})": cty.ObjectWithOptionalAttrs(
			map[string]cty.Type{"a": cty.String, "b": cty.List(cty.String)}, []string{"b"}),
	} {
		got, err := schema.Attribute{Name: "x", Type: expression}.CtyType()
		if err != nil || !got.Equals(want) {
			t.Errorf("%q: %#v, %v", expression, got, err)
		}
	}
	deep := strings.Repeat("list(", 100) + "string" + strings.Repeat(")", 100)
	for expression, want := range map[string]string{
		"": "expected a type", "any": "any is not allowed", "list(any)": "any is not allowed", "strin": "unknown type", "list": `expected "("`,
		"list(string": `expected ")"`, "string x": "unexpected", "object({a})": `expected "="`, "object({a=string,a=bool})": "twice",
		"object({=string})": "expected a name", "object({a=optional(string})": `expected ")"`, "object(a)": `expected "{"`, deep: "nested deeper",
	} {
		if _, err := (schema.Attribute{Name: "x", Type: expression}).CtyType(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", expression, err, want)
		}
	}
}

// What the host makes of a block with cty is what Decode reads.
func TestBlockCtyTypeAgreesWithDecode(t *testing.T) {
	t.Parallel()
	full, err := schema.MustOf(spec{}).Block.CtyType()
	if err != nil {
		t.Fatal(err)
	}
	given := cty.ObjectVal(map[string]cty.Value{
		"command": cty.TupleVal([]cty.Value{cty.StringVal("./web")}),
		"env":     cty.NullVal(cty.DynamicPseudoType), "replicas": cty.NumberIntVal(2), "weight": cty.NullVal(cty.Number),
		"small": cty.NullVal(cty.Number), "debug": cty.NullVal(cty.Bool), "stop": cty.StringVal("5s"), "artifact": cty.NullVal(cty.String),
		"mounts": cty.NullVal(cty.DynamicPseudoType), "login": cty.NullVal(cty.DynamicPseudoType), "limits": cty.NullVal(cty.DynamicPseudoType),
		"port": cty.MapVal(map[string]cty.Value{"http": cty.ObjectVal(map[string]cty.Value{
			"listen": cty.StringVal(":80"), "protocol": cty.NullVal(cty.String),
		})}),
		"rule": cty.ListVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"source": cty.StringVal("a"), "target": cty.StringVal("b")})}),
	})
	value, err := convert.Convert(given, full)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := ctyjson.Marshal(value, full)
	if err != nil {
		t.Fatal(err)
	}
	var got spec
	if ds := schema.Decode(encoded, &got); len(ds) > 0 {
		t.Fatalf("decode %s: %v", encoded, ds)
	}
	if diff := cmp.Diff(map[string]port{"http": {Name: "http", Listen: ":80", Protocol: "http"}}, got.Ports); diff != "" {
		t.Error(diff)
	}
	if got.Replicas != 2 || got.Login != nil || got.Limits.Memory != 64 || got.Rules[0].Target != "b" {
		t.Errorf("got %+v", got)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	attribute := func(a schema.Attribute) schema.Block { return schema.Block{Attributes: []schema.Attribute{a}} }
	nested := func(n schema.NestedBlock) schema.Block { return schema.Block{Blocks: []schema.NestedBlock{n}} }
	deep := schema.Block{}
	for range 40 {
		deep = nested(schema.NestedBlock{Name: "b", Nesting: schema.List, Block: deep})
	}
	for name, tc := range map[string]struct {
		block schema.Block
		want  string
	}{
		"empty":               {schema.Block{}, ""},
		"good":                {attribute(schema.Attribute{Name: "a", Type: "object({x=optional(number)})", Default: `{}`}), ""},
		"no type":             {attribute(schema.Attribute{Name: "a"}), "expected a type"},
		"any":                 {attribute(schema.Attribute{Name: "a", Type: "map(any)"}), "any is not allowed"},
		"no name":             {attribute(schema.Attribute{Type: "string"}), "no identifier"},
		"bad name":            {attribute(schema.Attribute{Name: "1a", Type: "string"}), "no identifier"},
		"required, default":   {attribute(schema.Attribute{Name: "a", Type: "string", Required: true, Default: `""`}), "drop one"},
		"default not fitting": {attribute(schema.Attribute{Name: "a", Type: "number", Default: `"x"`}), "does not fit"},
		"default no JSON":     {attribute(schema.Attribute{Name: "a", Type: "number", Default: `x`}), "does not fit"},
		"default null":        {attribute(schema.Attribute{Name: "a", Type: "number", Default: `null`}), "leave the default out"},
		"path of bools":       {attribute(schema.Attribute{Name: "a", Type: "list(bool)", Path: true}), "a path must be"},
		"no nesting":          {nested(schema.NestedBlock{Name: "b"}), "unknown nesting"},
		"several singles":     {nested(schema.NestedBlock{Name: "b", Nesting: schema.Single, MaxItems: 2}), "several items"},
		"min over max":        {nested(schema.NestedBlock{Name: "b", Nesting: schema.List, MinItems: 3, MaxItems: 2}), "at least 3"},
		"within":              {nested(schema.NestedBlock{Name: "b", Nesting: schema.List, Block: attribute(schema.Attribute{Name: "a", Type: "x"})}), `"b.a"`},
		"deep":                {deep, "nested deeper"},
		"twice": {schema.Block{
			Attributes: []schema.Attribute{{Name: "a", Type: "string"}},
			Blocks:     []schema.NestedBlock{{Name: "a", Nesting: schema.Map}},
		}, "stands twice"},
	} {
		err := schema.Schema{Block: tc.block}.Validate()
		if (tc.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: error %v, want %q", name, err, tc.want)
		}
	}
}

func FuzzDecodeRedact(f *testing.F) {
	f.Add(`{"command":["./web"],"login":{"user":"u","password":"p"}}`)
	f.Add(`{"port":{"":{"listen":1e400}}}`)
	s := schema.MustOf(spec{})
	f.Fuzz(func(t *testing.T, text string) {
		schema.Decode([]byte(text), &spec{})
		if shown, err := s.Redact([]byte(text)); err == nil && len(strings.TrimSpace(text)) > 0 && !json.Valid(shown) {
			t.Errorf("redacted %q to %q", text, shown)
		}
	})
}
