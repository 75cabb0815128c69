package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// maxProblems bounds what one error lists: the first ones matter.
const maxProblems = 20

// problems collects what is wrong, so that a person sees all of it at once.
type problems struct {
	list    []deployment.Problem
	lacks   bool     // something required is missing
	values  []string // of env()
	secrets []string // the same in all forms, none of which a message may hold
	shown   []string // the like of what the schema calls sensitive, as it is written
}

// add notes an error at a place; remedy says what to do.
func (ps *problems) add(at place, remedy, format string, args ...any) {
	ps.list = append(ps.list, at.problem(fmt.Sprintf(format, args...), remedy))
}

// warn notes a warning.
func (ps *problems) warn(at place, remedy, format string, args ...any) {
	p := at.problem(fmt.Sprintf(format, args...), remedy)
	p.Warning = true
	ps.list = append(ps.list, p)
}

// addHCL notes what the HCL library found in src.
func (ps *problems) addHCL(src *source, ds hcl.Diagnostics) {
	for _, d := range ds {
		at := place{src: src, start: hcl.Pos{Line: 1, Column: 1}}
		if d.Subject != nil {
			at.start = d.Subject.Start
		}
		if d.Severity == hcl.DiagWarning {
			ps.warn(at, "", "%s", lowerFirst(d.Summary))
			continue
		}
		if extra, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); ok && extra.FunctionCallError() != nil {
			remedy := "write it as in env(\"NAME\") or file(\"path\")"
			var call *callError
			if errors.As(extra.FunctionCallError(), &call) {
				remedy = call.remedy
			}
			ps.add(at, remedy, "%v", extra.FunctionCallError())
			continue
		}
		detail := strings.TrimSuffix(strings.Join(strings.Fields(d.Detail), " "), ".")
		ps.add(at, lowerFirst(detail), "%s", lowerFirst(d.Summary))
	}
}

// failed says whether there is an error.
func (ps *problems) failed() bool {
	for _, p := range ps.list {
		if !p.Warning {
			return true
		}
	}
	return false
}

// count is the number of errors.
func (ps *problems) count() int {
	n := 0
	for _, p := range ps.list {
		if !p.Warning {
			n++
		}
	}
	return n
}

// warnings returns the warnings alone.
func (ps *problems) warnings() []deployment.Problem {
	var out []deployment.Problem
	for _, p := range ps.list {
		if p.Warning {
			out = append(out, ps.redact(p))
		}
	}
	return out
}

// err returns the errors as one, or nil.
func (ps *problems) err(message, remedy string) error {
	if !ps.failed() {
		return nil
	}
	e := &deployment.Error{Code: deployment.Invalid, Message: ps.hide(message), Remedy: ps.hide(remedy)}
	for _, p := range ps.list {
		if p.Warning {
			continue
		}
		if len(e.Problems) == maxProblems {
			e.Problems = append(e.Problems, deployment.Problem{
				Message: fmt.Sprintf("%d more problems", ps.count()-maxProblems),
			})
			break
		}
		e.Problems = append(e.Problems, ps.redact(p))
	}
	return e
}

func lowerFirst(s string) string {
	r := []rune(s)
	if len(r) > 1 && unicode.IsUpper(r[0]) && !unicode.IsUpper(r[1]) {
		r[0] = unicode.ToLower(r[0])
	}
	return string(r)
}
