package cluster

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Change is who wrote desired state of an object.
type Change struct {
	By Owner // the zero Owner where nobody is known
	At time.Time
	// Fields are the paths that differ: .spec.template.spec.containers[name="api"].image
	Fields []string
}

// ChangeOf says who changed an object from before to after. Without before it is who
// made it; who has deleted it, nobody can say. Where one and the other ask for the same,
// Fields is empty.
func ChangeOf(before, after *unstructured.Unstructured) Change {
	if after == nil {
		return Change{}
	}
	all := entries(after)
	if before == nil {
		if len(all) == 0 {
			return Change{}
		}
		first := all[len(all)-1]
		return Change{By: owner(after, first), At: first.At}
	}
	change := Change{Fields: differ(Normalise(before), Normalise(after))}
	if len(change.Fields) == 0 {
		return change
	}
	was, best := entries(before), 0
	for _, e := range all {
		if score := e.score(was, change.Fields); score > best {
			change.By, change.At, best = owner(after, e), e.At, score
		}
	}
	return change
}

// score says how much speaks for a writer: that a field that differs is its now, and that
// it has written since. Times are of whole seconds, and whoever lost a field to somebody
// else has another entry too.
func (e entry) score(was []entry, fields []string) int {
	same := func(other entry) bool {
		return e.Manager == other.Manager && e.Operation == other.Operation && e.Subresource == other.Subresource && e.At.Equal(other.At)
	}
	score := 0
	if !slices.ContainsFunc(was, same) {
		score++
	}
	if score == 0 && slices.ContainsFunc(was, e.equal) {
		return 0 // as it was
	}
	var owned map[string]any
	if json.Unmarshal(e.Fields, &owned) == nil && slices.ContainsFunc(fields, func(path string) bool { return owns(owned, path) }) {
		score += 2
	}
	return score
}

// owns says whether a field, or something below it, is in what a manager owns.
func owns(owned map[string]any, path string) bool {
	for _, step := range pathSteps.FindAllStringSubmatch(path, -1) {
		key := "f:" + cmp.Or(step[1], step[2])
		if step[3] != "" {
			key = `k:{"name":"` + step[3] + `"}`
		}
		inner, ok := owned[key].(map[string]any)
		if !ok {
			return false
		}
		owned = inner
	}
	return true
}

// pathSteps are those of [differ]: .field, ["a field with dots"], [name="element"].
var pathSteps = regexp.MustCompile(`\.([^.\[]+)|\["([^"]+)"\]|\[name="([^"]+)"\]`)

// LastChangeOf says who wrote desired state of an object last, other than us and
// Kubernetes' own controllers. ok is false where nobody did.
func LastChangeOf(o *unstructured.Unstructured) (change Change, ok bool) {
	for _, e := range entries(o) {
		switch by := owner(o, e); by.Kind {
		case OwnerUs, OwnerKubernetes:
		default:
			return Change{By: by, At: e.At}, true
		}
	}
	return Change{}, false
}

// owner is who a field manager stands for: a tool whose labels the object carries has a
// name for it.
func owner(o *unstructured.Unstructured, e entry) Owner {
	by := ownerOfManager(e.Manager)
	if keeper, ok := KeeperOf(o); ok && keeper.Kind == by.Kind {
		keeper.Manager = by.Manager
		return keeper
	}
	return by
}

func (e entry) equal(other entry) bool {
	return e.Manager == other.Manager && e.Operation == other.Operation && e.Subresource == other.Subresource &&
		e.At.Equal(other.At) && bytes.Equal(e.Fields, other.Fields)
}

// differ lists the paths at which two objects differ, as server-side apply names them.
func differ(a, b *unstructured.Unstructured) []string {
	var paths []string
	compare("", a.Object, b.Object, func(path string) { paths = append(paths, path) })
	return paths
}

func compare(path string, a, b any, tell func(path string)) {
	if reflect.DeepEqual(a, b) {
		return
	}
	x, isX := a.(map[string]any)
	y, isY := b.(map[string]any)
	if isX && isY {
		both := maps.Clone(x)
		maps.Copy(both, y)
		for _, key := range slices.Sorted(maps.Keys(both)) {
			compare(path+step(key), x[key], y[key], tell)
		}
		return
	}
	p, isP := named(a)
	q, isQ := named(b)
	if isP && isQ {
		both := maps.Clone(p)
		maps.Copy(both, q)
		for _, name := range slices.Sorted(maps.Keys(both)) {
			compare(fmt.Sprintf("%s[name=%q]", path, name), orNil(p, name), orNil(q, name), tell)
		}
		if len(both) > 0 && !onlyOrder(p, q) {
			return
		}
	}
	tell(path)
}

// onlyOrder says whether two lists with names have the same elements: then their order
// is the difference.
func onlyOrder(p, q map[string]any) bool { return reflect.DeepEqual(p, q) }

func orNil(m map[string]any, key string) any {
	if v, ok := m[key]; ok {
		return v
	}
	return nil
}

func step(key string) string {
	if strings.ContainsAny(key, "./") {
		return fmt.Sprintf("[%q]", key)
	}
	return "." + key
}

// named is a list whose elements have names, by these.
func named(value any) (map[string]any, bool) {
	items, ok := value.([]any)
	if !ok {
		return nil, false
	}
	all := map[string]any{}
	for _, item := range items {
		m, _ := item.(map[string]any)
		name, _ := m["name"].(string)
		if name == "" || all[name] != nil {
			return nil, false
		}
		all[name] = m
	}
	return all, true
}
