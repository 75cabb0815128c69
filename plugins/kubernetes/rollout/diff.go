package rollout

import (
	"fmt"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
	"github.com/apm-deploy/apm/sdk"
)

// diff is the unified difference of two objects as YAML; nil is none.
func diff(before, after *unstructured.Unstructured) string {
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: lines(before), B: lines(after), FromFile: "live", ToFile: "planned", Context: 3,
	})
	if err != nil {
		return ""
	}
	return text
}

func lines(o *unstructured.Unstructured) []string {
	if o == nil {
		return nil
	}
	return difflib.SplitLines(strings.TrimSuffix(text(o), "\n"))
}

// text is an object as YAML.
func text(o *unstructured.Unstructured) string {
	written, err := yaml.Marshal(o.Object)
	if err != nil {
		return "" // it came from JSON
	}
	return string(written)
}

// changedImages says which containers get another image, for people.
func changedImages(before, after *unstructured.Unstructured) string {
	was := map[string]string{}
	if before != nil {
		release.EachContainer(before, func(_ []any, c map[string]any) { was[fmt.Sprint(c["name"])] = fmt.Sprint(c["image"]) })
	}
	var all []string
	release.EachContainer(after, func(_ []any, c map[string]any) {
		name, image := fmt.Sprint(c["name"]), fmt.Sprint(c["image"])
		switch old := was[name]; {
		case old == "":
			all = append(all, name+" runs "+image)
		case old != image:
			all = append(all, name+" from "+old+" to "+image)
		}
	})
	return strings.Join(all, ", ")
}

// immutable says whether the cluster refuses a change because a field can only be set
// once. Kubernetes says so in no other way.
func immutable(err error) bool {
	return sdk.CodeOf(err) == sdk.InvalidArgument &&
		(strings.Contains(err.Error(), "immutable") || strings.Contains(err.Error(), "updates to statefulset spec for fields other than"))
}
