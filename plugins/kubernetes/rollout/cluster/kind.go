package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/dynamic"
)

// lookAgain is how long a kind that is unknown is taken to stay so: a definition may be
// applied at any time, but asking for all kinds is dear.
const lookAgain = 5 * time.Second

// Kind is one that the cluster has.
type Kind struct {
	schema.GroupVersionKind
	Resource   schema.GroupVersionResource
	Namespaced bool
}

// KindOf looks a kind up. One that the cluster has not is NOT_FOUND. What kinds there
// are is asked once, and again when one is unknown, but not more often than every 5 s.
func (c *Cluster) KindOf(ctx context.Context, apiVersion, kind string) (Kind, error) {
	gvk := schema.FromAPIVersionAndKind(apiVersion, kind)
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) && c.mayLookAgain() {
		c.mapper.Reset()
		mapping, err = c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	if ctx.Err() != nil {
		return Kind{}, ctx.Err()
	}
	if err != nil {
		return Kind{}, Answer(Call{Verb: "look up", Resource: fmt.Sprintf("kind %s %s", apiVersion, kind)}, err)
	}
	return Kind{GroupVersionKind: gvk, Resource: mapping.Resource, Namespaced: mapping.Scope.Name() == meta.RESTScopeNameNamespace}, nil
}

func (c *Cluster) mayLookAgain() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookAgain {
		return false
	}
	c.looked = time.Now()
	return true
}

// resource is the client for one object.
func (c *Cluster) resource(ctx context.Context, k Key) (Kind, dynamic.ResourceInterface, error) {
	kind, err := c.KindOf(ctx, k.APIVersion, k.Kind)
	if err != nil {
		return kind, nil, err
	}
	if kind.Namespaced {
		return kind, c.dynamic.Resource(kind.Resource).Namespace(k.Namespace), nil
	}
	return kind, c.dynamic.Resource(kind.Resource), nil
}

func parseVersion(text []byte) (string, error) {
	var v version.Info
	if err := json.Unmarshal(text, &v); err != nil {
		return "", fmt.Errorf("read version of the cluster: %w", err)
	}
	return v.GitVersion, nil
}
