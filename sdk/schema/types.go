package schema

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// CtyType returns the type of the attribute's value. Attributes of an object
// that may be left out are optional attributes of the type, for conversion; a
// converted value has them all, null where left out.
func (a Attribute) CtyType() (cty.Type, error) {
	t, err := parseType(a.Type)
	if err != nil {
		return cty.NilType, fmt.Errorf("type of attribute %q: %w", a.Name, err)
	}
	return t, nil
}

// CtyType returns the object type of the whole block: its attributes, and its
// blocks as an object (Single, null when absent), a list of objects (List) or a
// map of objects by label (Map). Its JSON encoding is what a plugin is given.
// There are no optional attributes in it: a complete value names everything.
func (b Block) CtyType() (cty.Type, error) {
	attributes := make(map[string]cty.Type, len(b.Attributes)+len(b.Blocks))
	for _, a := range b.Attributes {
		t, err := a.CtyType()
		if err != nil {
			return cty.NilType, err
		}
		attributes[a.Name] = t.WithoutOptionalAttributesDeep()
	}
	for _, nested := range b.Blocks {
		t, err := nested.CtyType()
		if err != nil {
			return cty.NilType, err
		}
		attributes[nested.Name] = t
	}
	return cty.Object(attributes), nil
}

// CtyType returns the type of all blocks of this name together.
func (n NestedBlock) CtyType() (cty.Type, error) {
	t, err := n.Block.CtyType()
	if err != nil {
		return cty.NilType, fmt.Errorf("block %q: %w", n.Name, err)
	}
	switch n.Nesting {
	case Single:
		return t, nil
	case List:
		return cty.List(t), nil
	case Map:
		return cty.Map(t), nil
	default:
		return cty.NilType, fmt.Errorf("block %q: unknown nesting %d", n.Name, n.Nesting)
	}
}

// parseType reads a type expression of HCL.
func parseType(expression string) (cty.Type, error) {
	p := &typeParser{rest: expression}
	t, err := p.parse(0)
	if err == nil {
		if p.space(); p.rest != "" {
			err = fmt.Errorf("unexpected %q", p.rest)
		}
	}
	if err != nil {
		return cty.NilType, fmt.Errorf("parse type expression %q: %w", expression, err)
	}
	return t, nil
}

// maxDepth bounds nested types and blocks, for schemas that come from outside.
const maxDepth = 16

type typeParser struct{ rest string }

func (p *typeParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *typeParser) word() string {
	p.space()
	end := 0
	for end < len(p.rest) && isIdentByte(p.rest[end], end == 0) {
		end++
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	return word
}

func (p *typeParser) accept(token string) bool {
	p.space()
	if !strings.HasPrefix(p.rest, token) {
		return false
	}
	p.rest = p.rest[len(token):]
	return true
}

func (p *typeParser) expect(token string) error {
	if !p.accept(token) {
		return fmt.Errorf("expected %q before %q", token, p.rest)
	}
	return nil
}

func (p *typeParser) parse(depth int) (cty.Type, error) {
	if depth > maxDepth {
		return cty.NilType, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	switch word := p.word(); word {
	case "string":
		return cty.String, nil
	case "number":
		return cty.Number, nil
	case "bool":
		return cty.Bool, nil
	case "list":
		return p.collection(depth, cty.List)
	case "set":
		return p.collection(depth, cty.Set)
	case "map":
		return p.collection(depth, cty.Map)
	case "object":
		return p.object(depth)
	case "any":
		return cty.NilType, fmt.Errorf("any is not allowed: a plugin must know the type of what it is given")
	case "":
		return cty.NilType, fmt.Errorf("expected a type before %q", p.rest)
	default:
		return cty.NilType, fmt.Errorf("unknown type %q: use string, number, bool, list(…), set(…), map(…) or object({…})", word)
	}
}

func (p *typeParser) collection(depth int, of func(cty.Type) cty.Type) (cty.Type, error) {
	if err := p.expect("("); err != nil {
		return cty.NilType, err
	}
	element, err := p.parse(depth + 1)
	if err != nil {
		return cty.NilType, err
	}
	return of(element), p.expect(")")
}

func (p *typeParser) object(depth int) (cty.Type, error) {
	if err := p.expect("("); err != nil {
		return cty.NilType, err
	}
	if err := p.expect("{"); err != nil {
		return cty.NilType, err
	}
	attributes, optional := map[string]cty.Type{}, []string(nil)
	for !p.accept("}") {
		name := p.word()
		if name == "" {
			return cty.NilType, fmt.Errorf("expected a name before %q", p.rest)
		}
		if _, twice := attributes[name]; twice {
			return cty.NilType, fmt.Errorf("attribute %q stands twice", name)
		}
		if err := p.expect("="); err != nil {
			return cty.NilType, err
		}
		t, isOptional, err := p.member(depth + 1)
		if err != nil {
			return cty.NilType, err
		}
		attributes[name] = t
		if isOptional {
			optional = append(optional, name)
		}
		p.accept(",")
	}
	return cty.ObjectWithOptionalAttrs(attributes, optional), p.expect(")")
}

// member reads a type or optional(type).
func (p *typeParser) member(depth int) (t cty.Type, optional bool, err error) {
	before := p.rest
	if p.word() != "optional" {
		p.rest = before
		t, err = p.parse(depth)
		return t, false, err
	}
	if err = p.expect("("); err != nil {
		return cty.NilType, false, err
	}
	if t, err = p.parse(depth); err != nil {
		return cty.NilType, false, err
	}
	return t, true, p.expect(")")
}

func isIdentByte(c byte, first bool) bool {
	letter := c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
	return letter || (!first && (c == '-' || (c >= '0' && c <= '9')))
}

func isIdent(name string) bool {
	for i := range len(name) {
		if !isIdentByte(name[i], i == 0) {
			return false
		}
	}
	return name != ""
}
