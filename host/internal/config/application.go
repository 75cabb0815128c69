package config

import (
	"fmt"
	"slices"

	"github.com/apm-deploy/apm/sdk/schema"
)

// application is one application block of a file, not yet evaluated.
type application struct {
	name string
	src  *source
	at   place
	body *body
	ps   *problems // what is wrong with its structure
}

// component is one component of an application in one environment: as the
// application has it, and what the environment lays on top.
type component struct {
	name   string
	at     place
	layers []*body
}

// applicationsIn reads the application blocks of a file. What is wrong with the
// file outside of them is reported to ps.
func applicationsIn(src *source, ps *problems) []*application {
	root := parse(src, ps)
	var apps []*application
	for _, a := range root.attrs {
		ps.add(a.at, `put it into application "name" { … }`, "unknown attribute %s", quote(a.name))
	}
	for _, one := range root.blocks {
		switch {
		case one.kind != "application":
			ps.add(one.at, suggest(one.kind, []string{"application"}), "unknown block %s", quote(one.kind))
		case len(one.labels) != 1:
			ps.add(one.at, `write application "name" { … }`, "block %q needs one name", "application")
		default:
			app := &application{name: one.labels[0], src: src, at: one.at, body: one.body, ps: &problems{}}
			app.ps.checkName(one.labelsAt[0], "application", app.name)
			app.structure()
			apps = append(apps, app)
		}
	}
	return apps
}

// structure checks all names of the application, those of environments that are
// not asked for too, without evaluating anything.
func (app *application) structure() {
	d := decoder{ps: app.ps, later: laterApplication, also: []string{"component", "environment"}}
	d.names(&applicationGrammar, "application", app.body.without("component", "environment"))
	d.policies(app.body)
	d.components(app.body)
	if a := app.body.attr("component"); a != nil {
		app.ps.add(a.at, `write component "name" { … }`, "%q is a block, it has no =", "component")
	}
	d.also = nil
	d.repeats(&namedGrammar, app.body)
	for _, one := range app.body.of("environment") {
		if d.oneLabel(one) {
			app.ps.checkName(one.labelsAt[0], "environment", one.labels[0])
		}
		inner := d
		inner.also = []string{"component"}
		inner.names(&environmentGrammar, "environment", one.body.without("component"))
		d.repeats(&namedGrammar, one.body)
		d.policies(one.body)
		d.components(one.body)
	}
}

// namedGrammar says that components and environments have a name of their own.
var namedGrammar = schema.Block{Blocks: []schema.NestedBlock{
	labelled("component", schema.Block{}), labelled("environment", schema.Block{}),
}}

func (d decoder) oneLabel(one *block) bool {
	if len(one.labels) != 1 {
		d.ps.add(one.at, fmt.Sprintf("write %s \"name\" { … }", one.kind), "block %q needs one name", one.kind)
		return false
	}
	return true
}

func (d decoder) policies(b *body) {
	d.also = nil
	for _, one := range b.of("policy") {
		d.names(&policyGrammar, "policy", one.body)
		for _, timeouts := range one.body.of("timeouts") {
			d.names(&nestedOf(&policyGrammar, "timeouts").Block, "timeouts", timeouts.body)
		}
	}
}

func (d decoder) components(b *body) {
	for _, one := range b.of("component") {
		if d.oneLabel(one) {
			d.ps.checkName(one.labelsAt[0], "component", one.labels[0])
		}
		inner := d
		inner.also = []string{"spec", "check"}
		inner.names(&componentGrammar, "component", one.body.without("spec", "check"))
		inner.also = nil
		for _, promote := range one.body.of("promote") {
			inner.names(&nestedOf(&componentGrammar, "promote").Block, "promote", promote.body)
		}
		for i, spec := range one.body.of("spec") {
			switch {
			case i > 0:
				d.ps.add(spec.at, "keep one of them", "spec stands twice, first at %s", one.body.of("spec")[0].at.short())
			case len(spec.labels) > 0:
				d.ps.add(spec.labelsAt[0], "write spec { … }", "block %q has no name", "spec")
			}
		}
		for _, name := range []string{"spec", "check"} {
			if a := one.body.attr(name); a != nil {
				d.ps.add(a.at, "write "+map[string]string{"spec": "spec { … }", "check": `check "http" "name" { … }`}[name], "%q is a block, it has no =", name)
			}
		}
		d.checks(one.body)
	}
}

// checks checks types, names and keys of the check blocks.
func (d decoder) checks(b *body) {
	seen := map[string]*block{}
	for _, one := range b.of("check") {
		if len(one.labels) != 2 {
			d.ps.add(one.at, `write check "http" "name" { … }`, "block %q needs a type and a name", "check")
			continue
		}
		kind, name := one.labels[0], one.labels[1]
		g, ok := checkGrammar(d.ps, one.labelsAt[0], kind)
		if !ok || !d.ps.checkName(one.labelsAt[1], "check", name) {
			continue
		}
		if first := seen[name]; first != nil {
			d.ps.add(one.labelsAt[1], "choose another name", "check %s stands twice, first at %s", quote(name), first.at.short())
		}
		seen[name] = one
		d.names(&g, "check", one.body)
	}
}

// checkGrammar returns the schema of a check type, or reports what is wrong with
// the type.
func checkGrammar(ps *problems, at place, kind string) (schema.Block, bool) {
	g, ok := checkGrammars[kind]
	switch {
	case ok:
	case slices.Contains(laterChecks, kind):
		ps.add(at, "use http, tcp or grpc", "check type %q is not in this version", kind)
	default:
		ps.add(at, suggest(kind, []string{"http", "tcp", "grpc"}), "unknown check type %s", quote(kind))
	}
	return g, ok
}

// environment returns the block of an environment, or nil.
func (app *application) environment(name string) *body {
	for _, one := range app.body.of("environment") {
		if len(one.labels) == 1 && one.labels[0] == name {
			return one.body
		}
	}
	return nil
}

// environments returns the names of the environments that the application has
// blocks for.
func (app *application) environments() []string {
	names := []string{}
	for _, one := range app.body.of("environment") {
		names = append(names, one.labels...)
	}
	return names
}

// in returns the components as they are in an environment: those of the
// application, then those that only the environment has.
func (app *application) in(environment string) []component {
	var out []component
	for _, b := range []*body{app.body, app.environment(environment)} {
		if b == nil {
			continue
		}
		for _, one := range b.of("component") {
			i := slices.IndexFunc(out, func(c component) bool { return c.name == one.labels[0] })
			if i < 0 {
				out = append(out, component{name: one.labels[0], at: one.at})
				i = len(out) - 1
			}
			out[i].layers = append(out[i].layers, one.body)
		}
	}
	return out
}
