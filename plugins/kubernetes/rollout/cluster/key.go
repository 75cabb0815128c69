package cluster

import (
	"cmp"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Key names an object, for the whole product: "apps/v1 Deployment shop/api", or
// "v1 Namespace shop" where the kind has no namespace.
type Key struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// KeyOf is the key of an object.
func KeyOf(o *unstructured.Unstructured) Key {
	return Key{APIVersion: o.GetAPIVersion(), Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName()}
}

// ParseKey reads what [Key.String] wrote.
func ParseKey(text string) (Key, error) {
	var k Key
	words := strings.Split(text, " ")
	if len(words) == 3 {
		k.APIVersion, k.Kind, k.Name = words[0], words[1], words[2]
		if namespace, name, ok := strings.Cut(k.Name, "/"); ok {
			k.Namespace, k.Name = namespace, name
		}
	}
	if k.APIVersion == "" || k.Kind == "" || k.Name == "" {
		return Key{}, fmt.Errorf("read key %q: want \"apps/v1 Deployment shop/api\"", text)
	}
	return k, nil
}

// String is the key as people see it, and as [ParseKey] reads it.
func (k Key) String() string { return k.APIVersion + " " + k.Kind + " " + k.Path() }

// Path is "shop/api", or "shop" without a namespace.
func (k Key) Path() string {
	if k.Namespace == "" {
		return k.Name
	}
	return k.Namespace + "/" + k.Name
}

// Short is for sentences: "Deployment shop/api".
func (k Key) Short() string { return k.Kind + " " + k.Path() }

// GVK is the key's kind.
func (k Key) GVK() schema.GroupVersionKind { return schema.FromAPIVersionAndKind(k.APIVersion, k.Kind) }

// Same says whether two keys name one object, whatever the versions of its kind.
func (k Key) Same(other Key) bool {
	return k.GVK().GroupKind() == other.GVK().GroupKind() && k.Namespace == other.Namespace && k.Name == other.Name
}

// Compare orders keys as they are read.
func (k Key) Compare(other Key) int { return cmp.Compare(k.String(), other.String()) }
