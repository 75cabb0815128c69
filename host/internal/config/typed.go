package config

import (
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// hugeNumber finds a number such as 1e999999999, which a few bytes write and
// which no memory holds once it is printed.
func hugeNumber(v cty.Value) (path []string, found bool) {
	if v == cty.NilVal {
		return nil, false
	}
	_ = cty.Walk(v, func(at cty.Path, one cty.Value) (bool, error) {
		if one.IsNull() || one.Type() != cty.Number || found {
			return true, nil
		}
		const bits = 1024 // as far as a float64 goes
		n := one.AsBigFloat()
		if exponent := n.MantExp(nil); n.IsInf() || exponent > bits || exponent < -bits {
			path, found = steps(at), true
		}
		return true, nil
	})
	return path, found
}

// blame finds the part of v that cannot have its type: of a list or a map the
// first element that cannot.
func blame(v cty.Value, kind cty.Type, err error) ([]string, error) {
	if v.IsNull() || !v.CanIterateElements() || !kind.IsCollectionType() || (kind.IsMapType() != (v.Type().IsObjectType() || v.Type().IsMapType())) {
		return nil, err
	}
	for it := v.ElementIterator(); it.Next(); {
		key, element := it.Element()
		if _, err := convert.Convert(element, kind.ElementType()); err != nil {
			rest, err := blame(element, kind.ElementType(), err)
			return append(steps(cty.Path{cty.IndexStep{Key: key}}), rest...), err
		}
	}
	return nil, err
}

// mapTexts replaces every text in v.
func mapTexts(v cty.Value, at []string, replace func(text string, path []string) string) cty.Value {
	out, err := cty.Transform(v, func(path cty.Path, one cty.Value) (cty.Value, error) {
		if one.IsNull() || one.Type() != cty.String {
			return one, nil
		}
		return cty.StringVal(replace(one.AsString(), append(at, steps(path)...))), nil
	})
	if err != nil {
		return v
	}
	return out
}

// in returns the place of a part of the value.
func (a *attribute) in(path []string) place {
	if a.expr == nil {
		return a.valueAt.in(path...)
	}
	at, expr := a.valueAt, a.expr
	for _, step := range path {
		expr = partOf(expr, step)
		if expr == nil {
			break
		}
		at.start = expr.Range().Start
	}
	return at
}

func partOf(expr hclsyntax.Expression, step string) hclsyntax.Expression {
	switch e := expr.(type) {
	case *hclsyntax.TupleConsExpr:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(e.Exprs) {
			return e.Exprs[i]
		}
	case *hclsyntax.ObjectConsExpr:
		for _, item := range e.Items {
			key, diags := item.KeyExpr.Value(nil)
			if !diags.HasErrors() && key.Type() == cty.String && key.IsKnown() && !key.IsNull() && key.AsString() == step {
				return item.ValueExpr
			}
		}
	}
	return nil
}

func steps(path cty.Path) []string {
	var out []string
	for _, step := range path {
		switch s := step.(type) {
		case cty.GetAttrStep:
			out = append(out, s.Name)
		case cty.IndexStep:
			switch s.Key.Type() {
			case cty.String:
				out = append(out, s.Key.AsString())
			case cty.Number:
				out = append(out, s.Key.AsBigFloat().Text('f', -1))
			}
		}
	}
	return out
}

// typeOf reads a type expression.
func typeOf(text string) (cty.Type, *typeexpr.Defaults, error) {
	expr, diags := hclsyntax.ParseExpression([]byte(text), "type", hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilType, nil, diags
	}
	kind, defaults, diags := typeexpr.TypeConstraintWithDefaults(expr)
	if diags.HasErrors() {
		return cty.NilType, nil, diags
	}
	return kind, defaults, nil
}

// formOf says how a value of a type is written.
func formOf(text string) string {
	switch text {
	case "string":
		return "write a text in quotes"
	case "number":
		return "write a number"
	case "bool":
		return "write true or false"
	case "list(string)":
		return `write a list of texts, as in ["a", "b"]`
	case "list(number)":
		return "write a list of numbers, as in [50, 100]"
	case "map(string)":
		return "write a map from names to texts"
	default:
		return "its type is " + text
	}
}
