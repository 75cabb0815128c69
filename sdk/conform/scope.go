package conform

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// scope is what an expression of the file may use.
type scope struct {
	ctx *hcl.EvalContext
	ps  *problems
}

var (
	variables = []string{"dir", "tmp"}
	functions = []string{"env", "free_port"}
)

// newScope makes ${dir}, the directory of the file, and ${tmp}, a directory that
// is there for as long as the cases run.
func newScope(dir, tmp string, ps *problems) scope {
	return scope{ps: ps, ctx: &hcl.EvalContext{
		Variables: map[string]cty.Value{"dir": cty.StringVal(dir), "tmp": cty.StringVal(tmp)},
		Functions: map[string]function.Function{"env": envFunction(), "free_port": portFunction()},
	}}
}

// envFunction is env("NAME"): credentials do not belong into a file.
func envFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			value, set := os.LookupEnv(name)
			if !set {
				return cty.NilVal, fmt.Errorf("the environment variable %s is not set: set it, or write the value itself", name)
			}
			return cty.StringVal(value), nil
		},
	})
}

// portFunction is free_port("NAME"): a TCP port of 127.0.0.1 that nobody listens
// on, the same one for the same name.
func portFunction() function.Function {
	ports := map[string]int64{}
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if _, known := ports[name]; !known {
				port, err := freePort()
				if err != nil {
					return cty.NilVal, fmt.Errorf("find a free port: %w", err)
				}
				ports[name] = port
			}
			return cty.NumberIntVal(ports[name]), nil
		},
	})
}

func freePort() (int64, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("%v is no TCP address", listener.Addr())
	}
	return int64(address.Port), nil
}

// eval evaluates an expression. It reports itself what is wrong.
func (s scope) eval(expr hclsyntax.Expression) (cty.Value, bool) {
	if !s.namesKnown(expr) {
		return cty.NilVal, false
	}
	value, ds := expr.Value(s.ctx)
	for _, d := range ds {
		call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
		if ok && call.FunctionCallError() != nil {
			s.ps.add(expr.Range().Start, "", "%v", call.FunctionCallError())
			return cty.NilVal, false
		}
	}
	s.ps.addHCL(ds)
	if ds.HasErrors() {
		return cty.NilVal, false
	}
	if huge(value) {
		s.ps.add(expr.Range().Start, "write a smaller one", "a number out of all range")
		return cty.NilVal, false
	}
	return value, true
}

// namesKnown refuses variables and functions that are not known.
func (s scope) namesKnown(expr hclsyntax.Expression) bool {
	before := len(s.ps.list)
	for _, traversal := range expr.Variables() {
		if name := traversal.RootName(); !slices.Contains(variables, name) {
			s.ps.add(traversal.SourceRange().Start, suggest(name, variables)+fmt.Sprintf(" (a variable of a shell is written $${%s})", name),
				"unknown variable %q", name)
		}
	}
	_ = hclsyntax.VisitAll(expr, func(node hclsyntax.Node) hcl.Diagnostics {
		if call, ok := node.(*hclsyntax.FunctionCallExpr); ok && !slices.Contains(functions, call.Name) {
			s.ps.add(call.NameRange.Start, suggest(call.Name, functions), "unknown function %q", call.Name)
		}
		return nil
	})
	return len(s.ps.list) == before
}

// huge finds a number such as 1e999999999, which no memory holds once it is
// written out.
func huge(value cty.Value) (found bool) {
	_ = cty.Walk(value, func(_ cty.Path, one cty.Value) (bool, error) {
		if !one.IsNull() && one.Type() == cty.Number {
			const bits = 1024 // as far as a float64 goes
			n := one.AsBigFloat()
			exponent := n.MantExp(nil)
			found = found || n.IsInf() || exponent > bits || exponent < -bits
		}
		return true, nil
	})
	return found
}

// as evaluates an expression and brings it to a type, never null.
func (s scope) as(name string, expr hclsyntax.Expression, kind cty.Type, form string) (cty.Value, bool) {
	value, ok := s.eval(expr)
	if !ok {
		return cty.NilVal, false
	}
	converted, err := convert.Convert(value, kind)
	if err != nil {
		at, err := blame(expr, value, kind, err)
		s.ps.add(at, form, "wrong type for %q: %v", name, err)
		return cty.NilVal, false
	}
	null := false
	_ = cty.Walk(converted, func(_ cty.Path, one cty.Value) (bool, error) {
		null = null || one.IsNull()
		return !one.IsNull(), nil
	})
	if null {
		s.ps.add(expr.Range().Start, form, "wrong type for %q: null is no value", name)
	}
	return converted, !null
}

// blame finds the part of a value that cannot have its type, and where it stands:
// of a list or a map the first element that cannot.
func blame(expr hclsyntax.Expression, value cty.Value, kind cty.Type, err error) (hcl.Pos, error) {
	composed := value.Type().IsObjectType() || value.Type().IsMapType()
	if !value.IsNull() && value.CanIterateElements() && kind.IsCollectionType() && kind.IsMapType() == composed {
		for it := value.ElementIterator(); it.Next(); {
			key, element := it.Element()
			part := elementOf(expr, key)
			if _, wrong := convert.Convert(element, kind.ElementType()); wrong != nil && part != nil {
				return blame(part, element, kind.ElementType(), wrong)
			}
		}
	}
	return expr.Range().Start, err
}

// elementOf finds the expression of an element of what an expression makes.
func elementOf(expr hclsyntax.Expression, key cty.Value) hclsyntax.Expression {
	switch e := expr.(type) {
	case *hclsyntax.TupleConsExpr:
		if key.Type() == cty.Number {
			if i, _ := key.AsBigFloat().Int64(); i >= 0 && int(i) < len(e.Exprs) {
				return e.Exprs[i]
			}
		}
	case *hclsyntax.ObjectConsExpr:
		for _, item := range e.Items {
			name, ds := item.KeyExpr.Value(nil)
			if !ds.HasErrors() && key.Type() == cty.String && name.RawEquals(key) {
				return item.ValueExpr
			}
		}
	}
	return nil
}

func texts(value cty.Value) []string {
	var list []string
	for it := value.ElementIterator(); it.Next(); {
		_, element := it.Element()
		list = append(list, element.AsString())
	}
	return list
}
