package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

// A change is one that somebody else made to an object of the component.
type change struct {
	key  cluster.Key
	gone bool
	by   string // "" where nobody is known
	at   time.Time
	now  *unstructured.Unstructured
}

// String is for sentences: `Deployment shop/api was changed by kubectl-edit`.
func (c change) String() string {
	did := "changed"
	if c.gone {
		did = "deleted"
	}
	text := fmt.Sprintf("%s was %s", c.key.Short(), did)
	if c.by != "" {
		text += " by " + c.by
	}
	if !c.at.IsZero() {
		text += " at " + c.at.UTC().Format(time.RFC3339)
	}
	return text
}

// changes lists the objects that are not as the digests say.
func (s *scene) changes(digests map[string]string) []change {
	var all []change
	for _, k := range sortedKeys(digests) {
		switch o := s.objects[k]; {
		case o == nil:
			all = append(all, change{key: k, gone: true})
		case s.digestOf(o) != digests[k.String()]:
			all = append(all, changeOf(o))
		}
	}
	return all
}

func changeOf(o *unstructured.Unstructured) change {
	c := change{key: cluster.KeyOf(o), now: o}
	if last, ok := cluster.LastChangeOf(o); ok {
		c.by, c.at = last.By.String(), last.At
	}
	return c
}

func sortedKeys(digests map[string]string) []cluster.Key {
	all := make([]string, 0, len(digests))
	for key := range digests {
		all = append(all, key)
	}
	keys := parseKeys(all)
	slices.SortFunc(keys, cluster.Key.Compare)
	return keys
}

// moved refuses an operation whose expected digest does not hold, naming what has changed.
func moved(seen *scene, before *notes, keys []cluster.Key) error {
	found := seen.changes(before.Digests)
	if len(found) == 0 { // nothing of ours: the newest change of what is there
		for _, o := range seen.objects {
			if c := changeOf(o); len(found) == 0 || c.at.After(found[0].at) {
				found = []change{c}
			}
		}
	}
	if len(found) == 0 {
		names := make([]string, 0, len(keys))
		for _, k := range keys {
			names = append(names, k.Short())
		}
		return sdk.StateChanged(strings.Join(names, ", "), "", "what ran is gone: %s", strings.Join(names, ", "))
	}
	text := make([]string, 0, len(found))
	for _, c := range found {
		text = append(text, c.String())
	}
	return sdk.StateChanged(found[0].key.String(), found[0].by, "%s: plan again", strings.Join(text, "; "))
}
