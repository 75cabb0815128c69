package config

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// The methods below read attributes of the host's own blocks, whose types the
// decoder has already enforced.

// has says whether the attribute has a value.
func (o *object) has(name string) bool {
	v, ok := o.attrs[name]
	return ok && !v.bad && !v.IsNull()
}

func (o *object) text(name string) string {
	if !o.has(name) {
		return ""
	}
	return o.attrs[name].AsString()
}

func (o *object) truth(name string) bool { return o.has(name) && o.attrs[name].True() }

// texts returns a list of texts; an element that is null counts as "".
func (o *object) texts(name string) []string {
	if !o.has(name) {
		return nil
	}
	var out []string
	for _, v := range o.attrs[name].AsValueSlice() {
		if v.IsNull() {
			v = cty.StringVal("")
		}
		out = append(out, v.AsString())
	}
	return out
}

func (o *object) textMap(name string) map[string]string {
	if !o.has(name) || o.attrs[name].LengthInt() == 0 {
		return nil
	}
	out := map[string]string{}
	for key, v := range o.attrs[name].AsValueMap() {
		if !v.IsNull() {
			out[key] = v.AsString()
		} else {
			out[key] = ""
		}
	}
	return out
}

// allTexts returns every text of the object, of lists and maps too.
func (o *object) allTexts() []string {
	var texts []string
	for _, v := range o.attrs {
		if v.bad {
			continue
		}
		mapTexts(v.Value, nil, func(text string, _ []string) string {
			texts = append(texts, text)
			return text
		})
	}
	return texts
}

// number returns a whole number between low and high; def where there is none.
func (o *object) number(ps *problems, name string, low, high, def int) int {
	if !o.has(name) {
		return def
	}
	n, ok := whole(o.attrs[name].Value, low, high)
	if !ok {
		ps.add(o.attrs[name].at, fmt.Sprintf("write a number from %d to %d", low, high), "%q is out of range", name)
		return def
	}
	return n
}

// numbers returns a list of whole numbers between low and high.
func (o *object) numbers(ps *problems, name string, low, high int) []int {
	if !o.has(name) {
		return nil
	}
	var out []int
	for i, v := range o.attrs[name].AsValueSlice() {
		n, ok := whole(v, low, high)
		if !ok {
			ps.add(o.locate([]string{name, strconv.Itoa(i)}), fmt.Sprintf("write numbers from %d to %d", low, high), "%q holds one out of range", name)
			continue
		}
		out = append(out, n)
	}
	return out
}

func whole(v cty.Value, low, high int) (int, bool) {
	if v.IsNull() {
		return 0, false
	}
	n, accuracy := v.AsBigFloat().Int64()
	return int(n), accuracy == big.Exact && n >= int64(low) && n <= int64(high)
}

// duration returns a duration of at least low; def where there is none.
func (o *object) duration(ps *problems, name string, low, def time.Duration) time.Duration {
	if !o.has(name) {
		return def
	}
	at := o.attrs[name].at
	d, err := parseDuration(o.attrs[name].AsString())
	switch {
	case err != nil:
		ps.add(at, `write a number and a unit: "500ms", "30s", "10m", "2h", "7d"`, "%q is no duration: %s", name, quote(o.attrs[name].AsString()))
		return def
	case d < low && low <= 1:
		ps.add(at, `write a longer one, as in "30s"`, "%q must not be %s", name, map[bool]string{true: "negative", false: "zero or negative"}[low == 0])
		return def
	case d < low:
		ps.add(at, fmt.Sprintf("write %q or longer", written(low)), "%q must be at least %s", name, written(low))
		return def
	}
	return d
}

// bytes returns a number of bytes of at least low; def where there is none.
func (o *object) bytes(ps *problems, name string, low, def int64) int64 {
	if !o.has(name) {
		return def
	}
	at := o.attrs[name].at
	n, err := parseBytes(o.attrs[name].AsString())
	switch {
	case err != nil:
		ps.add(at, `write a whole number and a unit: "512MiB", "2GiB"`, "%q is no amount of memory: %s", name, quote(o.attrs[name].AsString()))
		return def
	case n < low:
		ps.add(at, fmt.Sprintf(`write "%dMiB" or more`, low>>20), "%q must be at least %dMiB", name, low>>20)
		return def
	}
	return n
}

// parseBytes reads a number with KiB, MiB or GiB behind it.
func parseBytes(text string) (int64, error) {
	for unit, shift := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30} {
		head, isUnit := strings.CutSuffix(text, unit)
		if !isUnit {
			continue
		}
		n, err := strconv.ParseInt(head, 10, 64)
		if err != nil || n < 0 || n > (1<<63-1)>>shift {
			return 0, fmt.Errorf("parse amount %q", text)
		}
		return n << shift, nil
	}
	return 0, fmt.Errorf("amount %q has no unit", text)
}

// written is a duration as a person writes it: "1h", not "1h0m0s".
func written(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// parseDuration is time.ParseDuration with days.
func parseDuration(text string) (time.Duration, error) {
	head, tail, hasDays := strings.Cut(text, "d")
	if !hasDays {
		return time.ParseDuration(text)
	}
	const most = int64(1<<63-1) / int64(24*time.Hour)
	days, err := strconv.ParseInt(head, 10, 64)
	if err != nil || days < 0 || days >= most {
		return 0, fmt.Errorf("parse days %q", head)
	}
	d := time.Duration(days) * 24 * time.Hour
	if tail == "" {
		return d, nil
	}
	rest, err := time.ParseDuration(tail)
	if err != nil || rest < 0 || d+rest < d {
		return 0, fmt.Errorf("parse duration %q", tail)
	}
	return d + rest, nil
}

// first returns the only block of a kind, or nil.
func (o *object) first(kind string) *object {
	if children := o.blocks[kind]; len(children) > 0 {
		return children[0].object
	}
	return nil
}

// oneOf checks that a text is one of the choices.
func (o *object) oneOf(ps *problems, name string, choices ...string) string {
	text := o.text(name)
	if text == "" && !o.has(name) {
		return ""
	}
	for _, choice := range choices {
		if text == choice {
			return text
		}
	}
	ps.add(o.attrs[name].at, suggest(text, choices), "%q cannot be %s", name, quote(text))
	return ""
}
