package rollout

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
)

// notes are what an operation writes down besides its steps. They stay with what runs.
type notes struct {
	// Keys are the objects of the release or of the snapshot, in order.
	Keys []string `json:"keys,omitempty"`
	// Left are those that earlier operations touched and this one does not: what of them
	// an operation of ours has created is deleted at its end.
	Left []string `json:"left,omitempty"`
	// Workloads and Services are what is followed.
	Workloads []string `json:"workloads,omitempty"`
	Services  []string `json:"services,omitempty"`
	// Digests are those of the objects as they were brought about.
	Digests map[string]string `json:"digests,omitempty"`
	// Was are digests of the content that a rollback replaced.
	Was map[string]string `json:"was,omitempty"`
	// Rollouts of others that are tracked.
	Tracked *tracked `json:"tracked,omitempty"`
}

// keys are all objects that the component is made of.
func (n *notes) keys() []cluster.Key {
	return parseKeys(slices.Concat(n.Keys, n.Left))
}

// subject is what is followed.
func (n *notes) subject() follow.Subject {
	return follow.Subject{Workloads: refs(n.Workloads), Services: refs(n.Services)}
}

func (n *notes) raw() (json.RawMessage, error) {
	text, err := json.Marshal(n)
	if err != nil {
		return nil, fmt.Errorf("write notes: %w", err)
	}
	return text, nil
}

// notesOf what runs; empty if nothing of ours does.
func notesOf(r *record.Record) (*notes, error) {
	var n notes
	if r.Serving == nil {
		return &n, nil
	}
	return &n, r.Serving.Noted(&n)
}

// succeed leaves to those that come now what the ones before had touched.
func (n *notes) succeed(before *notes, more ...string) {
	for _, key := range slices.Concat(before.Keys, before.Left, more) {
		if !slices.Contains(n.Keys, key) && !slices.Contains(n.Left, key) {
			n.Left = append(n.Left, key)
		}
	}
}

// parseKeys reads keys that we wrote.
func parseKeys(all []string) []cluster.Key {
	keys := make([]cluster.Key, 0, len(all))
	for _, text := range all {
		if k, err := cluster.ParseKey(text); err == nil {
			keys = append(keys, k)
		}
	}
	return keys
}

func refs(all []string) []picture.Ref {
	found := make([]picture.Ref, 0, len(all))
	for _, k := range parseKeys(all) {
		found = append(found, picture.Ref{APIVersion: k.APIVersion, Kind: k.Kind, Namespace: k.Namespace, Name: k.Name})
	}
	return found
}

func keyOfRef(r picture.Ref) cluster.Key {
	return cluster.Key{APIVersion: r.APIVersion, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}
}
