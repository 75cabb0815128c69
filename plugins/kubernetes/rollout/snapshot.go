package rollout

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
	"github.com/apm-deploy/apm/sdk"
)

// stateVersion is what Snapshot makes and Rollback reads.
const stateVersion = 1

// state is the whole of a component as it was.
type state struct {
	Version string  `json:"version"` // of the application, "" if no operation of ours brought it there
	Objects []saved `json:"objects"` // in the order to be restored
	// Absent are objects that a release was about to create.
	Absent    []string `json:"absent,omitempty"`
	Workloads []string `json:"workloads,omitempty"`
	Services  []string `json:"services,omitempty"`
	// Unread are ConfigMaps and Secrets that pods use and that could not be read.
	Unread []string `json:"unread,omitempty"`
}

// saved is one object as it was.
type saved struct {
	Object *unstructured.Unstructured `json:"object"`
	// Images are the digests that its containers ran, by container.
	Images map[string]string `json:"images,omitempty"`
	// Template: only its pods' template is known, from an earlier revision.
	Template bool `json:"template,omitempty"`
	// Revision is the number of that revision.
	Revision string `json:"revision,omitempty"`
}

// Snapshot returns all that is there of the component, and what a release would touch.
func (p *Platform) Snapshot(ctx context.Context, request sdk.SnapshotRequest) (sdk.SnapshotResult, error) {
	written, err := p.journal(request.Target).Read(ctx)
	if err != nil {
		return sdk.SnapshotResult{}, err
	}
	before, err := notesOf(written)
	if err != nil {
		return sdk.SnapshotResult{}, err
	}
	keys, version := before.keys(), ""
	if written.Serving != nil {
		version = written.Serving.Version
	}
	n := &notes{}
	if request.Release != nil {
		r, err := decodeRelease(*request.Release)
		if err != nil {
			return sdk.SnapshotResult{}, err
		}
		if n, err = p.outlineOf(ctx, r, request.Target); err != nil {
			return sdk.SnapshotResult{}, err
		}
		keys = union(keys, parseKeys(n.Keys))
	}
	seen, err := p.look(ctx, keys)
	if err != nil {
		return sdk.SnapshotResult{}, err
	}
	result := sdk.SnapshotResult{ObservedDigest: seen.digest()}
	s, err := p.save(ctx, seen, keys, version)
	if err != nil {
		return result, err
	}
	for _, k := range parseKeys(n.Keys) {
		if seen.objects[k] == nil {
			s.Absent = append(s.Absent, k.String())
		}
	}
	digest := result.ObservedDigest
	if n.Tracked != nil && !n.Tracked.Waiting && request.Handle.IsZero() {
		if s, digest, err = p.earlier(ctx, s, seen, n.Tracked); err != nil {
			return result, err
		}
	}
	result.Snapshot, err = s.encode(digest)
	return result, err
}

// save makes the state of what is there.
func (p *Platform) save(ctx context.Context, seen *scene, keys []cluster.Key, version string) (*state, error) {
	s := &state{Version: version}
	var objects []*unstructured.Unstructured
	for _, k := range seen.sorted(keys) {
		o := seen.objects[k]
		if seen.referred[k] && rotates(o) {
			continue
		}
		objects = append(objects, o)
		s.Objects = append(s.Objects, saved{Object: o})
	}
	n := outline(objects)
	s.Workloads, s.Services = n.Workloads, n.Services
	for _, err := range seen.blind {
		s.Unread = append(s.Unread, err.Error())
	}
	if len(s.Workloads) == 0 {
		return s, nil
	}
	pic, err := p.follower.Picture(ctx, n.subject())
	if err != nil {
		return nil, err
	}
	for i := range pic.Workloads {
		w := &pic.Workloads[i]
		at := slices.IndexFunc(s.Objects, func(one saved) bool { return cluster.KeyOf(one.Object) == keyOfRef(w.Ref) })
		if at >= 0 {
			s.Objects[at].Images = running(w, s.Objects[at].Object)
		}
	}
	return s, nil
}

// encode writes a state as the host keeps it.
func (s *state) encode(digest string) (sdk.Snapshot, error) {
	if len(s.Objects) == 0 {
		return sdk.Snapshot{Version: stateVersion, Empty: true, Digest: digest}, nil
	}
	data, err := json.Marshal(s)
	if err != nil {
		return sdk.Snapshot{}, &sdk.Error{Code: sdk.Internal, Reason: sdk.ReasonPluginBug, Message: "write snapshot", Err: err}
	}
	if len(data) > sdk.MaxSnapshot {
		return sdk.Snapshot{}, sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonQuota,
			"the objects of the component have %d bytes, more than a snapshot holds (%d): there would be no way back", len(data), sdk.MaxSnapshot)
	}
	return sdk.Snapshot{Version: stateVersion, State: data, Digest: digest, Revision: s.revision(), View: s.view()}, nil
}

// revision of the first workload, as its controller numbers it.
func (s *state) revision() string {
	for _, one := range s.Objects {
		if r := revisionOf(one.Object); r != "" {
			return cmp.Or(s.Version, "revision "+r)
		}
	}
	return s.Version
}

func revisionOf(o *unstructured.Unstructured) string {
	return o.GetAnnotations()["deployment.kubernetes.io/revision"]
}

// view is the state for people.
func (s *state) view() map[string]string {
	all := map[string]string{}
	for _, one := range s.Objects {
		k := cluster.KeyOf(one.Object)
		o := unpinned(one.Object)
		text := "there"
		if release.PodSpec(o) != nil {
			text = ""
			release.EachContainer(o, func(_ []any, c map[string]any) {
				if text != "" {
					text += ", "
				}
				text += fmt.Sprint(c["image"])
				name, _ := c["name"].(string)
				if digest := one.Images[name]; digest != "" {
					text += " (" + digest + ")"
				}
			})
		}
		all[judge.ID(picture.Ref{APIVersion: k.APIVersion, Kind: k.Kind, Namespace: k.Namespace, Name: k.Name})] = text
	}
	return all
}

func decodeState(data []byte) (*state, error) {
	var s state
	if err := json.Unmarshal(data, &s); err != nil || len(s.Objects) == 0 {
		return nil, &sdk.Error{Code: sdk.InvalidArgument, Reason: sdk.ReasonInvalidSpec, Message: "the snapshot cannot be read", Err: err}
	}
	return &s, nil
}

func decodeSnapshot(s sdk.Snapshot) (*state, error) {
	if s.Version > stateVersion {
		return nil, sdk.SnapshotStale("the snapshot is of version %d, from a newer plugin: use that one", s.Version)
	}
	return decodeState(s.State)
}
