package follow

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// expired says that a resourceVersion is too old: the reflector reads all again.
func expired(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}

// discover asks under which name the API server serves a kind.
func (f *Follower) discover(ctx context.Context, apiVersion, kind string) (schema.GroupVersionResource, bool, error) {
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return schema.GroupVersionResource{}, false, fmt.Errorf("apiVersion %q: %w", apiVersion, err)
	}
	path := "/apis/" + apiVersion
	if version.Group == "" {
		path = "/api/" + apiVersion
	}
	f.requests.get.Add(1)
	ctx, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	raw, err := f.clients.core().Get().AbsPath(path).SetHeader("Accept", "application/json").DoRaw(ctx)
	if apierrors.IsNotFound(err) {
		return schema.GroupVersionResource{}, false, fmt.Errorf("the cluster has no %s: is its CustomResourceDefinition installed?", apiVersion)
	}
	if err != nil {
		return schema.GroupVersionResource{}, false, err
	}
	var served metav1.APIResourceList
	if err := json.Unmarshal(raw, &served); err != nil {
		return schema.GroupVersionResource{}, false, fmt.Errorf("read the kinds of %s: %w", apiVersion, err)
	}
	for i := range served.APIResources {
		if r := &served.APIResources[i]; r.Kind == kind && !strings.Contains(r.Name, "/") {
			return version.WithResource(r.Name), r.Namespaced, nil
		}
	}
	return schema.GroupVersionResource{}, false, fmt.Errorf("%s has no kind %s on this cluster", apiVersion, kind)
}
