package schema

import "github.com/apm-deploy/apm/sdk/diag"

// Checker is a struct that knows more about its values than a schema can say. Check
// is called on a value that fits the schema, and must look at nothing but it: no
// network, no disk.
type Checker interface {
	Check() diag.Diagnostics
}

// Read returns the value that [Decode] makes of JSON. If T or a pointer to it is a
// [Checker], what fits the schema is checked too. After an error the value is not to
// be used.
func Read[T any](value []byte) (T, diag.Diagnostics) {
	var into T
	found := Decode(value, &into)
	if found.HasErrors() {
		return into, found
	}
	if checker, ok := any(&into).(Checker); ok {
		found = append(found, checker.Check()...)
	}
	return into, found
}

// Check is all that a plugin's Validate has to do as a rule: it reads a platform
// block and a spec block, each unless it is absent, and returns what is wrong.
//
//	func (p *Platform) Validate(_ context.Context, config, spec []byte) (diag.Diagnostics, error) {
//		return schema.Check[Config, Spec](config, spec), nil
//	}
func Check[Config, Spec any](config, spec []byte) diag.Diagnostics {
	var found diag.Diagnostics
	if len(config) > 0 {
		_, more := Read[Config](config)
		found = append(found, more...)
	}
	if len(spec) > 0 {
		_, more := Read[Spec](spec)
		found = append(found, more...)
	}
	return found
}
