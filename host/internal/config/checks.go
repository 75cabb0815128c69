package config

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// check is a health check as it was written.
type check struct {
	kind, name string
	at         place
	body       *body
}

// mergeChecks lays the checks of one layer on those below: matched by type and
// name, and merged.
func mergeChecks(base, layer *body) *body {
	out := &body{at: layer.at}
	if base != nil {
		out.blocks = slices.Clone(base.blocks)
	}
	for _, one := range layer.of("check") {
		i := slices.IndexFunc(out.blocks, func(b *block) bool { return slices.Equal(b.labels, one.labels) })
		if i < 0 {
			out.blocks = append(out.blocks, one)
			continue
		}
		g := checkGrammars[one.labels[0]]
		merged := *out.blocks[i]
		merged.body = merge(&g, merged.body, one.body)
		out.blocks[i] = &merged
	}
	return out
}

// healthChecks reads the request's health_checks, by component.
func (w *work) healthChecks(components []component) map[string][]check {
	out := map[string][]check{}
	items, _ := jsonArray(w.req.HealthChecks, field("health_checks"), w.ps)
	for i, item := range items {
		at := field("health_checks").in(strconv.Itoa(i))
		members, ok := jsonObject(item, at, w.ps)
		if !ok {
			continue
		}
		kind, kindOK := w.member(members, at, "type", true)
		name, nameOK := w.member(members, at, "name", true)
		owner, ownerOK := w.member(members, at, "component", false)
		if !kindOK || !nameOK || !ownerOK {
			continue
		}
		g, ok := checkGrammar(w.ps, at.in("type"), kind)
		if !ok || !w.ps.checkName(at.in("name"), "check", name) {
			continue
		}
		if owner == "" && len(components) == 1 {
			owner = components[0].name
		}
		if owner, ok = w.owner(at.in("component"), owner, components); !ok {
			continue
		}
		if slices.ContainsFunc(out[owner], func(c check) bool { return c.name == name }) {
			w.ps.add(at.in("name"), "choose another name", "check %s stands twice", quote(name))
			continue
		}
		for _, key := range []string{"type", "name", "component"} {
			delete(members, key)
		}
		rest, err := json.Marshal(members)
		if err != nil {
			w.ps.add(at, "write a JSON object", "cannot be read as JSON")
			continue
		}
		out[owner] = append(out[owner], check{kind: kind, name: name, at: at, body: fromJSON(&g, rest, at, w.ps)})
	}
	return out
}

// owner is the component that a check of the request belongs to.
func (w *work) owner(at place, name string, components []component) (string, bool) {
	names := componentNames(components)
	switch {
	case slices.Contains(names, name):
		return name, true
	case name == "":
		w.ps.add(at, suggest("", names), "%s has several components: name the one to check", quote(w.req.Name))
	default:
		w.ps.add(at, suggest(name, names), "there is no component %s", quote(name))
	}
	return "", false
}

// member reads a text of a JSON object.
func (w *work) member(members map[string]json.RawMessage, at place, name string, needed bool) (string, bool) {
	raw := members[name]
	if isNull(raw) {
		if needed {
			w.ps.add(at.in(name), "add it", "missing %q", name)
		}
		return "", !needed
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		w.ps.add(at.in(name), "put it in quotes", "a text is needed, this is %s", jsonKind(raw))
		return "", false
	}
	return text, true
}

// checks evaluates the checks of a component. One of the request replaces that
// of the same type and name, others are added.
func (w *work) checks(vars scope, written *body, fromRequest []check) []deployment.CheckDefinition {
	var all []check
	for _, one := range written.blocks {
		for _, other := range all {
			if other.name == one.labels[1] {
				w.ps.add(one.labelsAt[1], "choose another name", "check %s is one of type %s already, at %s", quote(other.name), other.kind, other.at.short())
			}
		}
		all = append(all, check{kind: one.labels[0], name: one.labels[1], at: one.at, body: one.body})
	}
	for _, c := range fromRequest {
		i := slices.IndexFunc(all, func(o check) bool { return o.name == c.name })
		switch {
		case i < 0:
			all = append(all, c)
		case all[i].kind == c.kind:
			all[i] = c
		default:
			w.ps.add(c.at.in("name"), "choose another name", "check %s is one of type %s already", quote(c.name), all[i].kind)
		}
	}
	vars.addresses = true
	var out []deployment.CheckDefinition
	for _, c := range all {
		out = append(out, w.check(vars, c))
	}
	return out
}

func (w *work) check(vars scope, c check) deployment.CheckDefinition {
	g := checkGrammars[c.kind]
	d := decoder{scope: vars, ps: w.ps}
	if c.at.src == nil {
		d.also = []string{"type", "name", "component"}
	}
	o := d.decode(&g, "check", c.body)
	def := deployment.CheckDefinition{
		Type: c.kind, Name: c.name,
		Interval: o.duration(w.ps, "interval", 10*time.Millisecond, 5*time.Second),
		Timeout:  o.duration(w.ps, "timeout", time.Millisecond, 2*time.Second),
		Passes:   o.number(w.ps, "passes", 1, 1000, 2),
		Failures: o.number(w.ps, "failures", 1, 1000, 3),
		Startup:  o.duration(w.ps, "startup", 0, 0),
	}
	switch c.kind {
	case "http":
		def.HTTP = w.httpCheck(o)
	case "tcp":
		w.checkAddress(o)
		def.TCP = &deployment.TCPCheck{Address: o.text("address")}
	case "grpc":
		w.checkAddress(o)
		w.noAddress(o, "service")
		def.GRPC = &deployment.GRPCCheck{Address: o.text("address"), Service: o.text("service"), TLS: o.truth("tls")}
	}
	def.Secrets = w.ps.heldBy(o.allTexts()...)
	return def
}
