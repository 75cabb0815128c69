package plugintest

import (
	"encoding/json"
	"slices"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// strange is no name of anybody's schema.
const strange = "no_such_name_of_any_schema"

func diagnosticPaths(b *bench) {
	d := b.suite.description
	config, ds := d.Config.Complete(b.config.Platform)
	if ds.HasErrors() {
		b.Fatalf("the platform block does not fit the plugin's schema: %v", ds)
	}
	b.valid("the platform block", config, nil)
	b.objects("an unknown name in the platform block", with(config, strange), nil, strange)
	if b.config.SpecV1 != nil {
		for _, target := range []sdk.Target{b.v1(), b.v2()} {
			b.valid("the spec of "+target.Version, nil, target.Spec)
			b.objects("an unknown name in the spec", nil, with(target.Spec, strange), strange)
		}
	}
	for _, attribute := range d.Spec.Block.Attributes {
		if attribute.Required && b.config.SpecV1 != nil {
			b.objects("a spec without what is required", nil, without(b.v1().Spec, attribute.Name), attribute.Name)
		}
	}
	if b.config.SpecBad == nil {
		return
	}
	bad := b.config.SpecBad
	if complete, ds := d.Spec.Complete(bad); !ds.HasErrors() {
		bad = complete
	}
	ds, err := b.client.Validate(b.ctx(), nil, bad)
	if err != nil || !ds.HasErrors() {
		b.Fatalf("Validate of spec \"bad\": want an error diagnostic, got %s", said(ds, err))
	}
	for _, one := range ds {
		b.knownPath(d.Spec, one)
	}
}

func (b *bench) valid(what string, config, spec []byte) {
	b.Helper()
	ds, err := b.client.Validate(b.ctx(), config, spec)
	if err != nil || ds.HasErrors() {
		b.Errorf("Validate of %s: %s", what, said(ds, err))
	}
}

// objects wants an error with a path that begins at a name.
func (b *bench) objects(what string, config, spec []byte, name string) {
	b.Helper()
	ds, err := b.client.Validate(b.ctx(), config, spec)
	if err != nil {
		b.Errorf("Validate of %s: mistakes of the user are diagnostics, not an error: %v", what, err)
		return
	}
	for _, one := range ds {
		if one.Severity == diag.Error && len(one.Path) > 0 && one.Path[0] == name {
			return
		}
	}
	b.Errorf("Validate of %s: no error diagnostic with path %q in %v", what, name, ds)
}

// knownPath wants a path that the host can find in the user's file.
func (b *bench) knownPath(s schema.Schema, d diag.Diagnostic) {
	b.Helper()
	if d.Summary == "" {
		b.Errorf("diagnostic without a summary: %+v", d)
	}
	if len(d.Path) == 0 {
		return // about the whole
	}
	names := []string{strange}
	for _, a := range s.Block.Attributes {
		names = append(names, a.Name)
	}
	for _, n := range s.Block.Blocks {
		names = append(names, n.Name)
	}
	var given map[string]json.RawMessage
	if json.Unmarshal(b.config.SpecBad, &given) == nil {
		for name := range given {
			names = append(names, name)
		}
	}
	if !slices.Contains(names, d.Path[0]) {
		b.Errorf("diagnostic %q: the path begins with %q, which is neither in the schema nor in the spec", d.Summary, d.Path[0])
	}
}

func with(value []byte, name string) []byte {
	return edit(value, func(m map[string]json.RawMessage) { m[name] = json.RawMessage("1") })
}

func without(value []byte, name string) []byte {
	return edit(value, func(m map[string]json.RawMessage) { m[name] = json.RawMessage("null") })
}

func edit(value []byte, change func(map[string]json.RawMessage)) []byte {
	m := map[string]json.RawMessage{}
	if json.Unmarshal(value, &m) != nil {
		return value
	}
	change(m)
	edited, err := json.Marshal(m)
	if err != nil {
		return value
	}
	return edited
}
