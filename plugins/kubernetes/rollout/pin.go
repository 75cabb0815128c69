package rollout

import (
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
)

// annotationPinned is on a workload that a rollback has pinned: how each container's
// image was written. The digest that was added says which content the tag stood for, and
// is no other desired state.
const annotationPinned = cluster.Prefix + "pinned"

// pin names images by the digests that ran, so that a tag that has moved since does not
// bring another image back.
func pin(o *unstructured.Unstructured, digests map[string]string) {
	written := map[string]string{}
	release.EachContainer(o, func(_ []any, c map[string]any) {
		name, _ := c["name"].(string)
		image, _ := c["image"].(string)
		if digest := digests[name]; digest != "" && image != "" && !strings.Contains(image, "@") {
			c["image"], written[name] = image+"@"+digest, image
		}
	})
	if len(written) == 0 {
		return
	}
	text, err := json.Marshal(written)
	if err != nil {
		return // a map of strings can be written
	}
	all := o.GetAnnotations()
	if all == nil {
		all = map[string]string{}
	}
	all[annotationPinned] = string(text)
	o.SetAnnotations(all)
}

// unpinned is an object with its images as they were written before a rollback pinned
// them.
func unpinned(o *unstructured.Unstructured) *unstructured.Unstructured {
	text := o.GetAnnotations()[annotationPinned]
	if text == "" {
		return o
	}
	var written map[string]string
	if json.Unmarshal([]byte(text), &written) != nil {
		return o
	}
	o = o.DeepCopy()
	release.EachContainer(o, func(_ []any, c map[string]any) {
		name, _ := c["name"].(string)
		image, _ := c["image"].(string)
		if was := written[name]; was != "" && strings.HasPrefix(image, was+"@") {
			c["image"] = was
		}
	})
	return o
}

// running are the digests of the images that the ready pods of a workload's newest
// revision run, by container; none where they differ.
func running(w *picture.Workload, o *unstructured.Unstructured) map[string]string {
	repositories := map[string]string{}
	release.EachContainer(o, func(_ []any, c map[string]any) {
		name, _ := c["name"].(string)
		image, _ := c["image"].(string)
		repositories[name] = repository(image)
	})
	found, differ := map[string]string{}, map[string]bool{}
	for i := range w.Pods {
		if !w.Pods[i].Newest || !w.Pods[i].Ready {
			continue
		}
		for _, c := range w.Pods[i].Containers {
			name, digest, ok := strings.Cut(strings.TrimPrefix(c.ImageID, "docker-pullable://"), "@")
			if !ok || repository(name) != repositories[c.Name] {
				continue
			}
			if was := found[c.Name]; was != "" && was != digest {
				differ[c.Name] = true
			}
			found[c.Name] = digest
		}
	}
	for name := range differ {
		delete(found, name)
	}
	return found
}

// repository is an image without tag and digest, with the registry that is meant.
func repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndex(image, ":"); i > strings.LastIndex(image, "/") {
		image = image[:i]
	}
	host, _, several := strings.Cut(image, "/")
	switch {
	case !several:
		return "docker.io/library/" + image
	case !strings.ContainsAny(host, ".:") && host != "localhost":
		return "docker.io/" + image
	default:
		return image
	}
}
