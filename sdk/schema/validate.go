package schema

import (
	"errors"
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// Validate finds contradictions, each with the path of what it is about. A
// schema made by [Of] has none; one from a plugin in another language may.
func (s Schema) Validate() error { return validateBlock("", s.Block, 0) }

func validateBlock(path string, b Block, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("block %q is nested deeper than %d", path, maxDepth)
	}
	var found []error
	seen := map[string]bool{}
	name := func(kind, name string) {
		switch {
		case !isIdent(name):
			found = append(found, fmt.Errorf("%s %q: the name is no identifier of HCL", kind, path+name))
		case seen[name]:
			found = append(found, fmt.Errorf("%s %q: the name stands twice", kind, path+name))
		}
		seen[name] = true
	}
	for _, a := range b.Attributes {
		name("attribute", a.Name)
		if err := validateAttribute(a); err != nil {
			found = append(found, fmt.Errorf("attribute %q: %w", path+a.Name, err))
		}
	}
	for _, n := range b.Blocks {
		name("block", n.Name)
		if err := validateNesting(n); err != nil {
			found = append(found, fmt.Errorf("block %q: %w", path+n.Name, err))
		}
		if err := validateBlock(path+n.Name+".", n.Block, depth+1); err != nil {
			found = append(found, err)
		}
	}
	return errors.Join(found...)
}

func validateAttribute(a Attribute) error {
	t, err := parseType(a.Type)
	if err != nil {
		return err
	}
	if a.Path && !t.Equals(cty.String) && !(t.IsCollectionType() && t.ElementType().Equals(cty.String)) {
		return fmt.Errorf("a path must be a string or strings, not %s", a.Type)
	}
	if a.Default == "" {
		return nil
	}
	if a.Required {
		return errors.New("required, so that a default is never used: drop one of them")
	}
	if err := fits(a.Default, t); err != nil {
		return fmt.Errorf("default %s does not fit type %s: %w", a.Default, a.Type, err)
	}
	return nil
}

// fits says whether a JSON value can be had as a type.
func fits(value string, t cty.Type) error {
	implied, err := ctyjson.ImpliedType([]byte(value))
	if err != nil {
		return err
	}
	decoded, err := ctyjson.Unmarshal([]byte(value), implied)
	if err != nil {
		return err
	}
	if decoded.IsNull() {
		return errors.New("null is no default: leave the default out")
	}
	_, err = convert.Convert(decoded, t)
	return err
}

func validateNesting(n NestedBlock) error {
	switch n.Nesting {
	case Single, List, Map:
	default:
		return fmt.Errorf("unknown nesting %d", n.Nesting)
	}
	if n.Nesting == Single && (n.MinItems > 1 || n.MaxItems > 1) {
		return errors.New("a single block cannot have several items")
	}
	if n.MaxItems > 0 && n.MinItems > n.MaxItems {
		return fmt.Errorf("at least %d and at most %d items", n.MinItems, n.MaxItems)
	}
	return nil
}
