package manifest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"k8s.io/client-go/kubernetes/scheme"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/near"
)

// checkTypes compares an object with the types of Kubernetes: a value of another
// type is wrong in any cluster. A name that they do not have may be of a newer one,
// which Unknown is for.
func (d Document) checkTypes() []Problem {
	wrong, _ := d.typed()
	return wrong
}

// Unknown returns what the types of Kubernetes do not have, as of the version that
// this program was built with. Of kinds that it does not know there is none.
func (d Document) Unknown() []Problem {
	_, unknown := d.typed()
	return unknown
}

func (d Document) typed() (wrong, unknown []Problem) {
	example, err := scheme.Scheme.New(d.Object.GroupVersionKind())
	if err != nil { // a kind that is not of Kubernetes itself
		return nil, nil
	}
	t := typeChecker{document: d}
	t.value(nil, reflect.TypeOf(example).Elem(), d.Object.Object)
	return t.wrong, t.unknown
}

type typeChecker struct {
	document       Document
	wrong, unknown []Problem
}

func (t *typeChecker) expected(at Path, what string, value any) {
	remedy := "correct it"
	if _, text := value.(string); what == "a string" && !text {
		remedy = "put it in quotes"
	}
	t.wrong = append(t.wrong, t.document.Problem(at, remedy, "expected %s, got %s", what, kindOf(value)))
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// value compares a value with the type that it is to be read into.
func (t *typeChecker) value(at Path, of reflect.Type, value any) {
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch {
	case value == nil || of.Kind() == reflect.Interface:
		return
	case reflect.PointerTo(of).Implements(unmarshaler):
		t.special(at, of, value)
		return
	}
	switch of.Kind() {
	case reflect.Struct:
		if object, ok := value.(map[string]any); ok {
			t.object(at, of, object)
		} else {
			t.expected(at, "an object", value)
		}
	case reflect.Map:
		object, ok := value.(map[string]any)
		if !ok {
			t.expected(at, "an object", value)
		}
		for _, name := range slices.Sorted(maps.Keys(object)) {
			t.value(at.then(name), of.Elem(), object[name])
		}
	case reflect.Slice:
		t.slice(at, of, value)
	default:
		t.scalar(at, of, value)
	}
}

func (t *typeChecker) object(at Path, of reflect.Type, object map[string]any) {
	known := map[string]reflect.Type{}
	fieldsOf(of, known)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if field, ok := known[name]; ok {
			t.value(at.then(name), field, object[name])
			continue
		}
		remedy := "leave it out"
		if names := near.To(name, slices.Collect(maps.Keys(known))); len(names) > 0 {
			remedy = near.Hint(name, names)
		}
		t.unknown = append(t.unknown, t.document.Problem(at.then(name), remedy, "unknown field %q", name))
	}
}

// fieldsOf collects the names of a struct in JSON, those of structs within it too.
func fieldsOf(of reflect.Type, into map[string]reflect.Type) {
	for i := range of.NumField() {
		field := of.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name == "" && (field.Anonymous || strings.Contains(options, "inline")):
			inner := field.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				fieldsOf(inner, into)
			}
		case name != "":
			into[name] = field.Type
		}
	}
}

// special reads what has a notation of its own: quantities, times, a number or a
// name.
func (t *typeChecker) special(at Path, of reflect.Type, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		return
	}
	if err := json.Unmarshal(data, reflect.New(of).Interface()); err == nil {
		return
	}
	what := map[string]string{
		"Quantity": `a quantity such as "500m" or "128Mi"`, "Time": `a time such as "2026-01-02T15:04:05Z"`,
		"MicroTime": `a time such as "2026-01-02T15:04:05.000000Z"`, "Duration": `a duration such as "10s"`,
		"IntOrString": "a whole number or a string",
	}[of.Name()]
	if what == "" {
		what = "a " + of.Name()
	}
	t.wrong = append(t.wrong, t.document.Problem(at, "correct it", "expected %s, got %s", what, shownOf(value)))
}

func (t *typeChecker) slice(at Path, of reflect.Type, value any) {
	if of.Elem().Kind() == reflect.Uint8 {
		text, ok := value.(string)
		if !ok {
			t.expected(at, "a string", value)
			return
		}
		if _, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "").Replace(text)); err != nil {
			remedy := "encode it"
			if t.document.Object.GetKind() == "Secret" {
				remedy = "encode it, or write it below stringData"
			}
			t.wrong = append(t.wrong, t.document.Problem(at, remedy, "the value is not base64"))
		}
		return
	}
	list, ok := value.([]any)
	if !ok {
		t.expected(at, "a list", value)
	}
	for i, element := range list {
		t.value(at.then(i), of.Elem(), element)
	}
}

func (t *typeChecker) scalar(at Path, of reflect.Type, value any) {
	switch of.Kind() {
	case reflect.String:
		if _, ok := value.(string); !ok {
			t.expected(at, "a string", value)
		}
	case reflect.Bool:
		if _, ok := value.(bool); !ok {
			t.expected(at, "true or false", value)
		}
	case reflect.Float32, reflect.Float64:
		if _, ok := value.(string); ok || !strings.HasPrefix(kindOf(value), "the number") {
			t.expected(at, "a number", value)
		}
	default:
		number, ok := value.(int64)
		float, isFloat := value.(float64)
		if isFloat && float == math.Trunc(float) && math.Abs(float) < 1<<53 {
			number, ok = int64(float), true
		}
		switch {
		case !ok:
			t.expected(at, "a whole number", value)
		case reflect.New(of).Elem().CanInt() && reflect.New(of).Elem().OverflowInt(number),
			reflect.New(of).Elem().CanUint() && number < 0:
			t.wrong = append(t.wrong, t.document.Problem(at, "correct it", "the number %d is too large or too small", number))
		}
	}
}

// kindOf names a value of JSON for people.
func kindOf(value any) string {
	switch value := value.(type) {
	case nil:
		return "nothing"
	case string:
		return "a string"
	case bool:
		return fmt.Sprintf("the bool %t", value)
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	default:
		return fmt.Sprintf("the number %v", value)
	}
}

// shownOf is kindOf with a text as it stands there, if it is short.
func shownOf(value any) string {
	const short = 40
	if text, ok := value.(string); ok && len(text) <= short {
		return fmt.Sprintf("%q", text)
	}
	return kindOf(value)
}
