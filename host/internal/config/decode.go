package config

import (
	"fmt"
	"slices"

	"github.com/apm-deploy/apm/sdk/schema"
)

// decoder evaluates bodies against a schema: of the host's own blocks, or of a
// plugin.
type decoder struct {
	scope scope
	ps    *problems
	// later names the keys of a block that this version does not have yet, by
	// the kind of the block ("" for the top of a file).
	later map[string][]string
	// guarded: a value of env() is refused where the schema does not call the key
	// sensitive. What reads the value there would show it.
	guarded bool
	secret  []string // the keys that it may stand in
	// also names keys that the caller took out of the outermost block before,
	// for suggestions.
	also []string
}

// object is an evaluated block.
type object struct {
	at     place
	g      *schema.Block
	attrs  map[string]value
	blocks map[string][]child
}

// child is a block inside of a block.
type child struct {
	label string
	at    place
	*object
}

// decode evaluates b. What is wrong is reported; the object holds the rest.
func (d decoder) decode(g *schema.Block, kind string, b *body) *object {
	d.names(g, kind, b)
	o := &object{at: b.at, g: g, attrs: map[string]value{}, blocks: map[string][]child{}}
	for i := range g.Attributes {
		o.attrs[g.Attributes[i].Name] = d.attribute(&g.Attributes[i], b)
	}
	inner := d
	inner.also = nil
	for _, nested := range g.Blocks {
		for _, one := range b.of(nested.Name) {
			c := child{at: one.at, object: inner.decode(&nested.Block, one.kind, one.body)}
			if len(one.labels) > 0 {
				c.label = one.labels[0]
			}
			o.blocks[nested.Name] = append(o.blocks[nested.Name], c)
		}
		d.howMany(&nested, b, len(o.blocks[nested.Name]))
	}
	return o
}

// howMany checks the number of blocks of one kind.
func (d decoder) howMany(n *schema.NestedBlock, b *body, count int) {
	switch {
	case count < int(n.MinItems) && n.MinItems == 1:
		d.ps.add(b.at.in(n.Name), "add "+blockForm(n), "missing block %q", n.Name)
	case count < int(n.MinItems):
		d.ps.add(b.at.in(n.Name), "add "+blockForm(n), "%d blocks %q are needed, there are %d", n.MinItems, n.Name, count)
	case n.MaxItems > 0 && count > int(n.MaxItems):
		d.ps.add(b.of(n.Name)[n.MaxItems].at, "remove those that are too many", "at most %d blocks %q can stand here, there are %d", n.MaxItems, n.Name, count)
	}
}

// names checks the names of b's own attributes and blocks, their labels and
// repetitions. It looks at nothing deeper.
func (d decoder) names(g *schema.Block, kind string, b *body) {
	known := slices.Clone(d.also)
	for _, a := range g.Attributes {
		known = append(known, a.Name)
	}
	for _, n := range g.Blocks {
		known = append(known, n.Name)
	}
	for _, a := range b.attrs {
		nested := nestedOf(g, a.name)
		switch {
		case attributeOf(g, a.name) != nil:
		case slices.Contains(d.later[kind], a.name):
			d.ps.add(a.at, "remove it", "%s is not in this version", quote(a.name))
		case nested != nil:
			d.ps.add(a.at, "write "+blockForm(nested), "%s is a block, it has no =", quote(a.name))
		case a.expr == nil:
			d.ps.add(a.at, suggest(a.name, known), "unknown key %s", quote(a.name))
		default:
			d.ps.add(a.at, suggest(a.name, known), "unknown attribute %s", quote(a.name))
		}
	}
	for _, one := range b.blocks {
		nested := nestedOf(g, one.kind)
		switch {
		case slices.Contains(d.later[kind], one.kind):
			d.ps.add(one.at, "remove it", "%s is not in this version", quote(one.kind))
		case nested == nil && attributeOf(g, one.kind) != nil:
			d.ps.add(one.at, fmt.Sprintf("write %s = …", one.kind), "%s is an attribute, not a block", quote(one.kind))
		case nested == nil:
			d.ps.add(one.at, suggest(one.kind, known), "unknown block %s", quote(one.kind))
		default:
			d.labels(nested, one)
		}
	}
	d.repeats(g, b)
}

func (d decoder) labels(n *schema.NestedBlock, one *block) {
	want := 0
	if n.Nesting == schema.Map {
		want = 1
	}
	switch {
	case len(one.labels) < want:
		d.ps.add(one.at, "write "+blockForm(n), "block %q needs a name", one.kind)
	case len(one.labels) > want && want == 0:
		d.ps.add(one.labelsAt[0], "write "+blockForm(n), "block %q has no name", one.kind)
	case len(one.labels) > want:
		d.ps.add(one.labelsAt[want], "write "+blockForm(n), "block %q has one name", one.kind)
	}
}

// repeats refuses a second block where there can be one only.
func (d decoder) repeats(g *schema.Block, b *body) {
	seen := map[string]*block{}
	for _, one := range b.blocks {
		nested := nestedOf(g, one.kind)
		if nested == nil || nested.Nesting == schema.List {
			continue
		}
		key := fmt.Sprintf("%q %q", one.kind, one.labels)
		if first, twice := seen[key]; twice {
			d.ps.add(one.at, "keep one of them", "%s stands twice, first at %s", blockName(one), first.at.short())
			continue
		}
		seen[key] = one
	}
}

// blockName renders the kind and the labels of a block.
func blockName(one *block) string {
	name := one.kind
	for _, label := range one.labels {
		name += " " + quote(label)
	}
	return name
}

func blockForm(n *schema.NestedBlock) string {
	if n.Nesting == schema.Map {
		return n.Name + ` "name" { … }`
	}
	return n.Name + " { … }"
}
