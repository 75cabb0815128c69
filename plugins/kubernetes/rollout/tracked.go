package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/near"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
	"github.com/apm-deploy/apm/sdk"
)

// tracked is the rollout that somebody else makes and an operation is about.
type tracked struct {
	Key string `json:"key"`
	UID string `json:"uid"`
	// Template is the digest of the template that is the subject or, while Waiting, of the
	// one before it.
	Template string `json:"template"`
	Waiting  bool   `json:"waiting,omitempty"`
}

// track fixes the subject of an operation: the template that is there, if it is that of
// the version or still rolled out, else the next one.
func (p *Platform) track(ctx context.Context, r *release.Release, version string) (*tracked, error) {
	k, ok := p.workload(r)
	if !ok {
		return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "the release neither applies anything nor names a workload")
	}
	live, err := p.cluster.Find(ctx, k)
	if err != nil {
		return nil, err
	}
	if live == nil {
		return nil, p.missing(ctx, k)
	}
	for name, want := range r.Labels {
		if got := live.GetLabels()[name]; got != want {
			return nil, sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "%s has label %s=%q, not %q: it is not the one that is meant", k.Short(), name, got, want)
		}
	}
	t := &tracked{Key: k.String(), UID: string(live.GetUID()), Template: templateDigest(live)}
	t.Waiting = !isVersion(live, cmp.Or(version, r.Version)) && finished(live)
	return t, nil
}

// missing refuses a workload that is not there, and names those near it.
func (p *Platform) missing(ctx context.Context, k cluster.Key) error {
	e := sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "%s is not there", k.Short())
	e.Resource = k.String()
	kind, err := p.cluster.KindOf(ctx, k.APIVersion, k.Kind)
	if err != nil {
		return e
	}
	list, err := p.cluster.Metadata().Resource(kind.Resource).Namespace(k.Namespace).List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		return e
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	if hint := near.Hint(k.Name, names); hint != "" {
		e.Message += "; " + hint
	}
	return e
}

// versionLabels are where a version stands.
var versionLabels = []string{"version", "app.kubernetes.io/version"}

// isVersion says whether a template is that of a version: by its labels, those of the
// workload, or the tag of an image.
func isVersion(o *unstructured.Unstructured, version string) bool {
	if version == "" {
		return false
	}
	for _, name := range versionLabels {
		if templateLabels(o)[name] == version || o.GetLabels()[name] == version {
			return true
		}
	}
	found := false
	release.EachContainer(unpinned(o), func(_ []any, c map[string]any) {
		image, _ := c["image"].(string)
		image, _, _ = strings.Cut(image, "@")
		if i := strings.LastIndex(image, ":"); i > strings.LastIndex(image, "/") && image[i+1:] == version {
			found = true
		}
	})
	return found
}

// finished says whether a workload's own status tells that its rollout is over.
func finished(o *unstructured.Unstructured) bool {
	number := func(path ...string) int64 {
		n, _, _ := unstructured.NestedInt64(o.Object, path...)
		return n
	}
	if number("status", "observedGeneration") < o.GetGeneration() {
		return false
	}
	switch o.GetKind() {
	case "Deployment", "StatefulSet":
		want := number("spec", "replicas")
		if _, ok, _ := unstructured.NestedInt64(o.Object, "spec", "replicas"); !ok {
			want = 1
		}
		return number("status", "updatedReplicas") >= want && number("status", "replicas") <= want && number("status", "availableReplicas") >= want
	case "DaemonSet":
		want := number("status", "desiredNumberScheduled")
		return number("status", "updatedNumberScheduled") >= want && number("status", "numberAvailable") >= want
	default:
		return true
	}
}

// templateDigest is that of what pods are made from.
func templateDigest(o *unstructured.Unstructured) string {
	part := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": o.GetAPIVersion(), "kind": o.GetKind(), "metadata": map[string]any{"name": o.GetName()},
	}}
	for _, field := range []string{"template", "jobTemplate"} {
		if template, ok, err := unstructured.NestedMap(unpinned(o).Object, "spec", field); ok && err == nil {
			_ = unstructured.SetNestedMap(part.Object, template, "spec", field)
		}
	}
	return short(cluster.Digest(part))
}

// follow waits for the rollout that somebody else makes, stamps its workload and follows
// it. Nothing else of it is changed.
func (a *act) follow(ctx context.Context) error {
	if err := a.begin(ctx); err != nil {
		return err
	}
	if !a.op.Reached(stepApplied) {
		k, err := cluster.ParseKey(a.notes.Tracked.Key)
		if err != nil {
			return err
		}
		outcome, err := a.subject(ctx, k)
		if err != nil {
			return err
		}
		if outcome != nil {
			return a.end(ctx, *outcome)
		}
		live, err := a.cluster.Mark(ctx, k, a.stamp)
		if err != nil {
			return err
		}
		a.known[k] = live.GetGeneration()
		a.work.Printf("%s is followed: generation %d", k.Short(), live.GetGeneration())
		seen := &scene{objects: map[cluster.Key]*unstructured.Unstructured{k: live}}
		if err := a.applied(ctx, seen); err != nil {
			return err
		}
	}
	return a.settle(ctx, false)
}

// subject waits for the generation that the operation is about.
func (a *act) subject(ctx context.Context, k cluster.Key) (*sdk.Outcome, error) {
	t := a.notes.Tracked
	said := false
	for {
		if err := a.wanted(ctx); err != nil {
			return nil, err
		}
		live, err := a.cluster.Find(ctx, k)
		switch {
		case err != nil:
			return nil, err
		case live == nil:
			return superseded(change{key: k, gone: true}), nil
		case !t.Waiting && templateDigest(live) != t.Template:
			return superseded(changeOf(live)), nil
		case !t.Waiting || templateDigest(live) != t.Template:
			return nil, nil //nolint:nilnil // it is there
		}
		message := fmt.Sprintf("waiting for a rollout of %s to version %q: it runs another one, and nothing is under way", k.Short(), a.op.Version)
		a.work.Show(sdk.State{Phase: sdk.PhasePending, Message: message})
		if !said {
			said = true
			a.work.Printf("%s", message)
		}
		if a.options.Timeout > 0 && time.Since(a.op.Started) > a.options.Timeout {
			message := fmt.Sprintf("no rollout of %s began within %s", k.Short(), a.options.Timeout)
			return &sdk.Outcome{Result: sdk.ResultFailed, Message: message, Failure: &sdk.Failure{
				Code: sdk.CodeProgressDeadline, Resource: a.op.Subject, Message: message, Suggestion: "start the rollout, then ask again",
			}}, nil
		}
		if _, err := a.work.Pause(ctx, min(time.Second, a.options.Interval)); err != nil {
			return nil, err
		}
	}
}

// earlier is the state before a rollout that is there already: the newest earlier
// revision, of which only the template is known. With none there is no way back, and
// nothing is ever deleted.
func (p *Platform) earlier(ctx context.Context, s *state, seen *scene, t *tracked) (*state, string, error) {
	k, err := cluster.ParseKey(t.Key)
	if err != nil {
		return nil, "", err
	}
	live := seen.objects[k]
	if live == nil {
		return &state{}, cluster.Digest(), nil
	}
	template, number, err := p.template(ctx, live)
	if err != nil || template == nil {
		return &state{}, cluster.Digest(), err
	}
	o := live.DeepCopy()
	if err := unstructured.SetNestedMap(o.Object, template, "spec", "template"); err != nil {
		return nil, "", fmt.Errorf("read earlier revision of %s: %w", k.Short(), err)
	}
	before := &state{Objects: []saved{{Object: o, Template: true, Revision: number}}, Workloads: []string{t.Key}, Services: s.Services, Unread: s.Unread}
	then := *seen
	then.objects = map[cluster.Key]*unstructured.Unstructured{}
	for key, object := range seen.objects {
		then.objects[key] = object
	}
	then.objects[k] = o
	return before, then.digest(), nil
}

// template of the newest revision of a workload that is not the one that is there; nil if
// there is none.
func (p *Platform) template(ctx context.Context, live *unstructured.Unstructured) (template map[string]any, number string, err error) {
	source := cluster.Key{APIVersion: "apps/v1", Kind: "ControllerRevision", Namespace: live.GetNamespace()}
	if live.GetKind() == "Deployment" {
		source.Kind = "ReplicaSet"
	}
	selector, _, err := unstructured.NestedStringMap(live.Object, "spec", "selector", "matchLabels")
	if err != nil || !slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, live.GetKind()) {
		return nil, "", nil //nolint:nilerr // it keeps no revisions
	}
	kind, err := p.cluster.KindOf(ctx, source.APIVersion, source.Kind)
	if err != nil {
		return nil, "", err
	}
	list, err := p.cluster.Dynamic().Resource(kind.Resource).Namespace(source.Namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.Set(selector).String()})
	if err != nil {
		return nil, "", cluster.Answer(cluster.CallOf("list", kind.Resource, source.Namespace, ""), err)
	}
	now := templateDigest(live)
	newest := int64(-1)
	for i := range list.Items {
		o := &list.Items[i]
		if !metav1.IsControlledBy(o, live) {
			continue
		}
		found, at := templateOf(o)
		as := live.DeepCopy()
		if found == nil || at <= newest || unstructured.SetNestedMap(as.Object, found, "spec", "template") != nil || templateDigest(as) == now {
			continue
		}
		template, newest, number = found, at, strconv.FormatInt(at, 10)
	}
	return template, number, nil
}

// templateOf a ReplicaSet or ControllerRevision, and its number.
func templateOf(o *unstructured.Unstructured) (map[string]any, int64) {
	if o.GetKind() == "ReplicaSet" {
		template, _, err := unstructured.NestedMap(o.Object, "spec", "template")
		if err != nil {
			return nil, 0
		}
		unstructured.RemoveNestedField(template, "metadata", "labels", "pod-template-hash")
		number, _ := strconv.ParseInt(revisionOf(o), 10, 64)
		return template, number
	}
	template, _, err := unstructured.NestedMap(o.Object, "data", "spec", "template")
	if err != nil {
		return nil, 0
	}
	delete(template, "$patch")
	number, _, _ := unstructured.NestedInt64(o.Object, "revision")
	return template, number
}
