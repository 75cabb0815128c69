package config

import (
	"encoding/json"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/apm-deploy/apm/sdk/schema"
)

// body is what stands between braces, not yet evaluated: of a file or of a
// request, or of several of them merged. Each part remembers its place.
type body struct {
	at     place
	attrs  []*attribute // in the order written
	blocks []*block
}

// attribute is one "name = value": an expression of a file, or a literal of a
// request.
type attribute struct {
	name    string
	at      place
	valueAt place
	expr    hclsyntax.Expression // nil for a literal
	literal json.RawMessage
}

// block is one block with its labels.
type block struct {
	kind     string
	labels   []string
	labelsAt []place
	at       place
	body     *body
}

// parse reads a file as HCL. Where the text has errors it returns what could be
// read, so that the application it is about can be named.
func parse(src *source, ps *problems) *body {
	file, diags := hclsyntax.ParseConfig(src.content, src.display, hcl.InitialPos)
	ps.addHCL(src, diags)
	if file != nil {
		if b, ok := file.Body.(*hclsyntax.Body); ok {
			return fromHCL(src, b, hcl.InitialPos)
		}
	}
	return &body{at: place{src: src, start: hcl.InitialPos}}
}

func fromHCL(src *source, from *hclsyntax.Body, start hcl.Pos) *body {
	b := &body{at: place{src: src, start: start}}
	for _, a := range from.Attributes {
		b.attrs = append(b.attrs, &attribute{
			name:    a.Name,
			at:      place{src: src, start: a.NameRange.Start},
			valueAt: place{src: src, start: a.Expr.Range().Start},
			expr:    a.Expr,
		})
	}
	slices.SortFunc(b.attrs, func(x, y *attribute) int { return x.at.start.Byte - y.at.start.Byte })
	for _, sub := range from.Blocks {
		one := &block{
			kind: sub.Type, labels: sub.Labels,
			at:   place{src: src, start: sub.TypeRange.Start},
			body: fromHCL(src, sub.Body, sub.TypeRange.Start),
		}
		for _, r := range sub.LabelRanges {
			one.labelsAt = append(one.labelsAt, place{src: src, start: r.Start})
		}
		b.blocks = append(b.blocks, one)
	}
	return b
}

// attr returns the attribute of that name, or nil.
func (b *body) attr(name string) *attribute {
	for _, a := range b.attrs {
		if a.name == name {
			return a
		}
	}
	return nil
}

// of returns the blocks of one kind.
func (b *body) of(kind string) []*block {
	var out []*block
	for _, one := range b.blocks {
		if one.kind == kind {
			out = append(out, one)
		}
	}
	return out
}

// without returns the body less the attributes and blocks of those names.
func (b *body) without(names ...string) *body {
	out := &body{at: b.at}
	for _, a := range b.attrs {
		if !slices.Contains(names, a.name) {
			out.attrs = append(out.attrs, a)
		}
	}
	for _, one := range b.blocks {
		if !slices.Contains(names, one.kind) {
			out.blocks = append(out.blocks, one)
		}
	}
	return out
}

// merge lays over on top of base: attributes replace, blocks are matched by
// kind and labels and merged, unlabelled repeated blocks replace as a list.
func merge(g *schema.Block, base, over *body) *body {
	if base == nil {
		return over
	}
	if over == nil {
		return base
	}
	out := &body{at: base.at}
	for _, a := range base.attrs {
		if over.attr(a.name) == nil {
			out.attrs = append(out.attrs, a)
		}
	}
	out.attrs = append(out.attrs, over.attrs...)

	taken := map[*block]bool{}
	for _, one := range base.blocks {
		nested := nestedOf(g, one.kind)
		if nested == nil {
			out.blocks = append(out.blocks, one)
			continue
		}
		if nested.Nesting == schema.List {
			if len(over.of(one.kind)) == 0 {
				out.blocks = append(out.blocks, one)
			}
			continue
		}
		merged := *one
		for _, upper := range over.of(one.kind) {
			if slices.Equal(upper.labels, one.labels) {
				merged.body = merge(&nested.Block, merged.body, upper.body)
				taken[upper] = true
			}
		}
		out.blocks = append(out.blocks, &merged)
	}
	for _, one := range over.blocks {
		if !taken[one] {
			out.blocks = append(out.blocks, one)
		}
	}
	return out
}

func nestedOf(g *schema.Block, kind string) *schema.NestedBlock {
	for i := range g.Blocks {
		if g.Blocks[i].Name == kind {
			return &g.Blocks[i]
		}
	}
	return nil
}

func attributeOf(g *schema.Block, name string) *schema.Attribute {
	for i := range g.Attributes {
		if g.Attributes[i].Name == name {
			return &g.Attributes[i]
		}
	}
	return nil
}
