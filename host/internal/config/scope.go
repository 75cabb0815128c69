package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// sensitive marks a value that came from env().
type sensitive struct{}

// maxFile bounds what file() and an application file may hold.
const maxFile = 4 << 20

// scope is what an expression may use.
type scope struct {
	vars map[string]string // version, environment, application, component
	// addresses: ${address} and ${addresses.NAME} stay as they are written, for
	// they are known only when a check is asked.
	addresses bool
	ps        *problems
}

// with returns the scope with one more variable.
func (s scope) with(name, value string) scope {
	vars := make(map[string]string, len(s.vars)+1)
	for k, v := range s.vars {
		vars[k] = v
	}
	vars[name] = value
	s.vars = vars
	return s
}

// eval evaluates an expression of a file. It reports what is wrong itself.
func (s scope) eval(a *attribute) (cty.Value, bool) {
	before := s.ps.count()
	s.checkNames(a)
	if s.addresses {
		s.checkAddresses(a, a.expr)
	}
	if s.ps.count() > before {
		return cty.NilVal, false
	}
	ctx := &hcl.EvalContext{
		Variables: map[string]cty.Value{},
		Functions: map[string]function.Function{"env": s.env(), "file": s.file(a.at.src.dir())},
	}
	for name, value := range s.vars {
		ctx.Variables[name] = cty.StringVal(value)
	}
	if s.addresses {
		ctx.Variables["address"] = cty.StringVal("${address}")
		ctx.Variables["addresses"] = addressesOf(a.expr)
	}
	value, diags := a.expr.Value(ctx)
	s.ps.addHCL(a.at.src, diags)
	if diags.HasErrors() {
		return cty.NilVal, false
	}
	return value, true
}

// checkNames refuses variables and functions that are not known here.
func (s scope) checkNames(a *attribute) {
	known := []string{}
	for name := range s.vars {
		known = append(known, name)
	}
	if s.addresses {
		known = append(known, "address", "addresses")
	}
	for _, traversal := range a.expr.Variables() {
		name := traversal.RootName()
		at := place{src: a.at.src, start: traversal.SourceRange().Start}
		switch {
		case slices.Contains(known, name):
		case name == "address" || name == "addresses":
			s.ps.add(at, "a spec tells its ports itself; an instance finds its own in $PORT", "%q is known in checks only", name)
		case len(known) == 0:
			s.ps.add(at, fmt.Sprintf("put a text in quotes: %q", name), "there are no variables here, %q is none", name)
		default:
			s.ps.add(at, suggest(name, known), "unknown variable %q", name)
		}
	}
	_ = hclsyntax.VisitAll(a.expr, func(node hclsyntax.Node) hcl.Diagnostics {
		if call, ok := node.(*hclsyntax.FunctionCallExpr); ok && call.Name != "env" && call.Name != "file" {
			at := place{src: a.at.src, start: call.NameRange.Start}
			s.ps.add(at, suggest(call.Name, []string{"env", "file"}), "unknown function %q", call.Name)
		}
		return nil
	})
}

// checkAddresses refuses every use of an address but to stand in a text.
func (s scope) checkAddresses(a *attribute, expr hclsyntax.Expression) {
	switch e := expr.(type) {
	case *hclsyntax.TemplateExpr:
		for _, part := range e.Parts {
			s.checkAddresses(a, part)
		}
	case *hclsyntax.TemplateWrapExpr:
		s.checkAddresses(a, e.Wrapped)
	case *hclsyntax.ParenthesesExpr:
		s.checkAddresses(a, e.Expression)
	case *hclsyntax.TupleConsExpr:
		for _, item := range e.Exprs {
			s.checkAddresses(a, item)
		}
	case *hclsyntax.ObjectConsExpr:
		for _, item := range e.Items {
			s.refuseAddresses(a, item.KeyExpr)
			s.checkAddresses(a, item.ValueExpr)
		}
	case *hclsyntax.ScopeTraversalExpr:
		name, ok := addressName(e.Traversal)
		if ok && e.Traversal.RootName() == "addresses" && name == "" {
			s.ps.add(place{src: a.at.src, start: e.Range().Start}, "write ${addresses.NAME}", "\"addresses\" needs the name of a port")
		}
		if !ok && isAddress(e.Traversal) {
			s.ps.add(place{src: a.at.src, start: e.Range().Start}, "write ${address} or ${addresses.NAME}", "an address is a text and has no parts")
		}
	default:
		s.refuseAddresses(a, expr)
	}
}

func (s scope) refuseAddresses(a *attribute, expr hclsyntax.Expression) {
	for _, traversal := range expr.Variables() {
		if isAddress(traversal) {
			s.ps.add(place{src: a.at.src, start: traversal.SourceRange().Start},
				"an address is known only when the check is asked: let it stand in a text, as in \"http://${address}/\"",
				"%q cannot be computed with", traversal.RootName())
		}
	}
}

func isAddress(t hcl.Traversal) bool {
	return t.RootName() == "address" || t.RootName() == "addresses"
}

// addressName returns NAME of addresses.NAME; false for an address of any other
// form than address, addresses and addresses.NAME.
func addressName(t hcl.Traversal) (string, bool) {
	if t.RootName() == "address" {
		return "", len(t) == 1
	}
	if t.RootName() != "addresses" || len(t) > 2 {
		return "", false
	}
	if len(t) == 1 {
		return "", true
	}
	attr, ok := t[1].(hcl.TraverseAttr)
	return attr.Name, ok
}

func addressesOf(expr hcl.Expression) cty.Value {
	values := map[string]cty.Value{}
	for _, t := range expr.Variables() {
		if name, ok := addressName(t); ok && name != "" {
			values[name] = cty.StringVal("${addresses." + name + "}")
		}
	}
	return cty.ObjectVal(values)
}

// setVariable is what to do about a variable that is not there.
const setVariable = "set it, and start the host again"

// callError is an error of env or file, with what to do about it.
type callError struct{ message, remedy string }

// Error returns what is wrong.
func (e *callError) Error() string { return e.message }

// env reads the host's environment. Its result is sensitive.
func (s scope) env() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String, AllowMarked: true}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name, marks := args[0].Unmark()
			value, ok := os.LookupEnv(name.AsString())
			switch {
			case !ok && len(marks) > 0:
				return cty.NilVal, &callError{"the host's environment has no such variable", setVariable}
			case !ok:
				return cty.NilVal, &callError{"the host's environment has no variable " + quote(name.AsString()), setVariable}
			case !utf8.ValidString(value):
				return cty.NilVal, &callError{"the value of this variable is no UTF-8 text", "set it to one, and start the host again"}
			}
			s.ps.secret(value)
			return cty.StringVal(value).Mark(sensitive{}), nil
		},
	})
}

// file reads a file relative to the one that the expression stands in.
func (s scope) file(dir string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String, AllowMarked: true}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			arg, marks := args[0].Unmark()
			name := quote(arg.AsString())
			if len(marks) > 0 {
				name = "the file"
			}
			content, err := readFile(absolute(dir, arg.AsString()))
			if err != nil {
				return cty.NilVal, &callError{"read " + name + ": " + reasonOf(err), "name a file that can be read; relative paths begin where this file lies"}
			}
			if !utf8.Valid(content) {
				return cty.NilVal, &callError{"read " + name + ": it is no UTF-8 text", "name a text file"}
			}
			return cty.StringVal(string(content)).WithMarks(marks), nil
		},
	})
}

// absolute resolves path, which may begin with ~/, against dir.
func absolute(dir, path string) string {
	if expanded, err := expandHome(path); err == nil {
		path = expanded
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// expandHome replaces a leading ~ by $HOME.
func expandHome(path string) (string, error) {
	if path != "~" && !strings.HasPrefix(path, "~/") {
		return path, nil
	}
	home := os.Getenv("HOME")
	if home == "" {
		return "", errNoHome
	}
	return filepath.Join(home, strings.TrimPrefix(path, "~")), nil
}
