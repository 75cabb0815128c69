package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
)

// check says what is wrong with one object.
func (d Document) check() []Problem {
	if problems := d.checkKind(); len(problems) > 0 {
		return problems
	}
	problems := d.checkMetadata()
	problems = append(problems, d.checkTemplate()...)
	if len(problems) == 0 { // else the same would be said twice
		problems = append(problems, d.checkTypes()...)
	}
	return append(problems, d.checkSize()...)
}

func (d Document) checkKind() []Problem {
	for _, field := range []string{"apiVersion", "kind"} {
		switch value := d.Object.Object[field].(type) {
		case string:
			if value != "" {
				continue
			}
			return []Problem{d.Problem(Path{field}, "write it", "%s is empty", field)}
		case nil:
			return []Problem{d.Problem(nil, "begin with apiVersion, kind and metadata", "%s is missing", field)}
		default:
			return []Problem{d.Problem(Path{field}, "put it in quotes", "expected a string, got %s", kindOf(value))}
		}
	}
	version := d.Object.GetAPIVersion()
	group, err := schema.ParseGroupVersion(version)
	if err != nil || group.Version == "" {
		return []Problem{d.Problem(Path{"apiVersion"}, "write GROUP/VERSION, such as apps/v1", "%q is no version of an API", version)}
	}
	if group.Group == "kustomize.config.k8s.io" {
		return []Problem{d.Problem(
			Path{"kind"}, "build it first, such as with kubectl kustomize, and name what that wrote",
			"a %s is for kustomize, and not an object of a cluster", d.Object.GetKind())}
	}
	return nil
}

// dnsNames are the groups all of whose kinds have names fit for DNS.
var dnsNames = map[string]bool{"": true, "apps": true, "batch": true, "autoscaling": true, "policy": true, "networking.k8s.io": true}

func (d Document) checkMetadata() []Problem {
	value, there := d.Object.Object["metadata"]
	metadata, ok := value.(map[string]any)
	switch {
	case !there || value == nil:
		return []Problem{d.Problem(nil, "give the object a name", "metadata is missing")}
	case !ok:
		return []Problem{d.Problem(Path{"metadata"}, "write name: and labels: below it", "expected an object, got %s", kindOf(value))}
	}
	var problems []Problem
	for _, field := range []string{"name", "namespace", "generateName"} {
		if value, there := metadata[field]; there && value != nil {
			if _, ok := value.(string); !ok {
				return []Problem{d.Problem(Path{"metadata", field}, "put it in quotes", "expected a string, got %s", kindOf(value))}
			}
		}
	}
	name := d.Object.GetName()
	switch {
	case name == "" && d.Object.GetGenerateName() != "":
		problems = append(problems, d.Problem(
			Path{"metadata", "generateName"}, "write metadata.name",
			"a made-up name is another one each time, so that nothing could be rolled back"))
	case name == "":
		problems = append(problems, d.Problem(Path{"metadata"}, "write metadata.name", "the %s has no name", d.Object.GetKind()))
	default:
		wrong := content.IsPathSegmentName(name)
		if dnsNames[d.Object.GroupVersionKind().Group] {
			wrong = append(wrong, validation.IsDNS1123Subdomain(name)...)
		}
		if len(wrong) > 0 {
			problems = append(problems, d.Problem(Path{"metadata", "name"}, "rename it", "%q is no name: %s", name, wrong[0]))
		}
	}
	if namespace := d.Object.GetNamespace(); namespace != "" {
		if wrong := validation.IsDNS1123Label(namespace); len(wrong) > 0 {
			problems = append(problems, d.Problem(Path{"metadata", "namespace"}, "correct it", "%q is no name of a namespace: %s", namespace, wrong[0]))
		}
	}
	problems = append(problems, d.checkLabels(Path{"metadata", "labels"}, metadata["labels"])...)
	return append(problems, d.checkAnnotations(metadata["annotations"])...)
}

// checkLabels checks names and values of labels that stand at a path.
func (d Document) checkLabels(at Path, value any) []Problem {
	labels, problems := d.texts(at, value)
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if wrong := validation.IsQualifiedName(name); len(wrong) > 0 {
			problems = append(problems, d.Problem(at.then(name), "rename it", "%q is no name of a label: %s", name, wrong[0]))
		}
		if wrong := Label(labels[name]); wrong != "" {
			problems = append(problems, d.Problem(at.then(name), "correct it, or write it as an annotation", "%s", wrong))
		}
	}
	return problems
}

// Label says why a text cannot be the value of a label, "" if it can.
func Label(value string) string {
	switch {
	case len(validation.IsValidLabelValue(value)) == 0:
		return ""
	case len(value) > validation.LabelValueMaxLength:
		return fmt.Sprintf("%q is no value of a label: it has %d signs, and %d are allowed", value, len(value), validation.LabelValueMaxLength)
	default:
		return fmt.Sprintf("%q is no value of a label: letters, digits, '-', '_' and '.' are allowed, with a letter or digit first and last", value)
	}
}

// maxAnnotations bounds the annotations of an object, as the API server does.
const maxAnnotations = 256 << 10

func (d Document) checkAnnotations(value any) []Problem {
	at := Path{"metadata", "annotations"}
	annotations, problems := d.texts(at, value)
	size := 0
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		if wrong := validation.IsQualifiedName(strings.ToLower(name)); len(wrong) > 0 {
			problems = append(problems, d.Problem(at.then(name), "rename it", "%q is no name of an annotation: %s", name, wrong[0]))
		}
		size += len(name) + len(annotations[name])
	}
	if size > maxAnnotations {
		problems = append(problems, d.Problem(at, "shorten them", "annotations of %d bytes, and %d are allowed", size, maxAnnotations))
	}
	return problems
}

// texts reads a map of strings.
func (d Document) texts(at Path, value any) (map[string]string, []Problem) {
	if value == nil {
		return nil, nil
	}
	values, ok := value.(map[string]any)
	if !ok {
		return nil, []Problem{d.Problem(at, "write NAME: VALUE below it", "expected an object, got %s", kindOf(value))}
	}
	var problems []Problem
	texts := make(map[string]string, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text, ok := values[name].(string)
		if !ok && values[name] != nil {
			problems = append(problems, d.Problem(at.then(name), "put it in quotes", "expected a string, got %s", kindOf(values[name])))
			continue
		}
		texts[name] = text
	}
	return texts, problems
}

// checkTemplate checks the labels of the pods that an object makes, and whether it
// would find them again.
func (d Document) checkTemplate() []Problem {
	spec := release.PodSpec(d.Object)
	if len(spec) < 2 { // a Pod is no template
		return nil
	}
	labelled := pathOf(spec[:len(spec)-1]).then("metadata", "labels")
	value := valueAt(d.Object.Object, labelled)
	problems := d.checkLabels(labelled, value)
	selected := Path{"spec", "selector", "matchLabels"}
	selector, wrong := d.texts(selected, valueAt(d.Object.Object, selected))
	if problems = append(problems, wrong...); len(problems) > 0 {
		return problems
	}
	labels, _ := value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(selector)) {
		if labels[name] != any(selector[name]) {
			problems = append(problems, d.Problem(
				selected.then(name), "write the same in "+labelled.String(),
				"its own pods do not have the label %s=%s", name, selector[name]))
		}
	}
	return problems
}

// valueAt returns what stands at a path of names, nil if nothing does.
func valueAt(value any, at Path) any {
	for _, step := range at {
		object, ok := value.(map[string]any)
		name, named := step.(string)
		if !ok || !named {
			return nil
		}
		value = object[name]
	}
	return value
}
