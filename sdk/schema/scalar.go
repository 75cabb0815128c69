package schema

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"strings"
	"time"
)

func (d *decoder) duration(path []string, value []byte, into reflect.Value) {
	var text string
	if json.Unmarshal(value, &text) != nil || kindOf(value) != "a string" {
		d.errorf(path, `expected a duration such as "10s", got %s`, kindOf(value))
		return
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		d.errorf(path, `%q is no duration: write it such as "10s", "5m" or "1h30m"`, text)
		return
	}
	into.SetInt(int64(parsed))
}

// scalar reads strings, bools and numbers. Nothing is converted: "5" is no
// number and 5 no string.
func (d *decoder) scalar(path []string, value []byte, into reflect.Value) {
	kind := kindOf(value)
	switch into.Kind() {
	case reflect.String:
		var text string
		if kind != "a string" || json.Unmarshal(value, &text) != nil {
			d.errorf(path, "expected a string, got %s", kind)
			return
		}
		into.SetString(text)
	case reflect.Bool:
		if kind != "a bool" {
			d.errorf(path, "expected true or false, got %s", kind)
			return
		}
		into.SetBool(bytes.Equal(bytes.TrimSpace(value), []byte("true")))
	default:
		if !strings.HasPrefix(kind, "the number") {
			d.errorf(path, "expected a number, got %s", kind)
			return
		}
		d.number(path, value, into)
	}
}

func (d *decoder) number(path []string, value []byte, into reflect.Value) {
	text := string(bytes.TrimSpace(value))
	number, _, err := big.ParseFloat(text, 10, 512, big.ToNearestEven)
	if err != nil {
		d.errorf(path, "%s is no number", text)
		return
	}
	switch kind := into.Kind(); {
	case kind == reflect.Float32 || kind == reflect.Float64:
		float, _ := number.Float64()
		if math.IsInf(float, 0) || into.OverflowFloat(float) {
			d.errorf(path, "%s is too large", text)
			return
		}
		into.SetFloat(float)
	case !number.IsInt():
		d.errorf(path, "expected a whole number, got %s", text)
	case kind >= reflect.Int && kind <= reflect.Int64:
		whole, accuracy := number.Int64()
		if accuracy != big.Exact || into.OverflowInt(whole) {
			d.errorf(path, "%s does not fit: too large or too small", text)
			return
		}
		into.SetInt(whole)
	case kind >= reflect.Uint && kind <= reflect.Uint64:
		whole, accuracy := number.Uint64()
		if accuracy != big.Exact || into.OverflowUint(whole) {
			d.errorf(path, "%s does not fit: it must be 0 or more, and not too large", text)
			return
		}
		into.SetUint(whole)
	default:
		d.errorf(path, "the plugin's own schema is wrong: %s cannot be read", into.Type())
	}
}
