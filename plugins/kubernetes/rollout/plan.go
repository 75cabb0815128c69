package rollout

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/release"
	"github.com/apm-deploy/apm/sdk"
)

// Plan says what an operation would do now, and changes nothing: the cluster itself says
// what it would make of a release.
func (p *Platform) Plan(ctx context.Context, request sdk.PlanRequest) (sdk.Plan, error) {
	written, err := p.journal(request.Target).Read(ctx)
	if err != nil {
		return sdk.Plan{}, err
	}
	before, err := notesOf(written)
	if err != nil {
		return sdk.Plan{}, err
	}
	d := &draft{Platform: p, before: before, identity: p.identity(request.Target)}
	switch {
	case request.Release != nil:
		r, err := decodeRelease(*request.Release)
		if err != nil {
			return sdk.Plan{}, err
		}
		err = d.deploy(ctx, r, request.Target)
		return d.plan, err
	case request.Snapshot == nil:
		return sdk.Plan{}, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "a plan needs a release or a snapshot")
	case request.Snapshot.Empty:
		err = d.rollback(ctx, &state{})
		return d.plan, err
	}
	to, err := decodeSnapshot(*request.Snapshot)
	if err != nil {
		return sdk.Plan{}, err
	}
	err = d.rollback(ctx, to)
	return d.plan, err
}

// draft is a plan that is being made.
type draft struct {
	*Platform
	before   *notes
	identity cluster.Identity
	seen     *scene
	plan     sdk.Plan
}

// look at what an operation would meet.
func (d *draft) look(ctx context.Context, keys []cluster.Key) (err error) {
	if d.seen, err = d.Platform.look(ctx, union(d.before.keys(), keys)); err == nil {
		d.plan.ObservedDigest = d.seen.digest()
	}
	return err
}

func (d *draft) deploy(ctx context.Context, r *release.Release, t sdk.Target) error {
	n, err := d.outlineOf(ctx, r, t)
	if err != nil {
		return err
	}
	if err := d.look(ctx, parseKeys(n.Keys)); err != nil {
		return err
	}
	if err := guard(d.seen, d.touched(r), d.identity); err != nil {
		return err
	}
	if n.Tracked != nil {
		d.track(n.Tracked, t.Version)
		return nil
	}
	objects, force, err := d.desired(r, d.seen)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := d.apply(ctx, o, force, r); err != nil {
			return err
		}
	}
	d.remove(n.Keys, nil)
	return nil
}

func (d *draft) track(t *tracked, version string) {
	k, err := cluster.ParseKey(t.Key)
	if err != nil {
		return
	}
	summary := fmt.Sprintf("follow the rollout of %s that somebody else makes", k.Short())
	if t.Waiting {
		summary = fmt.Sprintf("wait for somebody to roll %s out to version %q, and follow that", k.Short(), version)
	}
	d.plan.Steps = append(d.plan.Steps, sdk.Step{Resource: t.Key, Action: "track", Summary: summary, Command: statusCommand(k)})
}

// apply adds the step of one object.
func (d *draft) apply(ctx context.Context, o *unstructured.Unstructured, force bool, r *release.Release) error {
	k := cluster.KeyOf(o)
	live := d.seen.objects[k]
	if live != nil && !force {
		if _, ours := cluster.StampOf(live); !ours {
			if err := kept(live); err != nil {
				return err
			}
		}
	}
	taken := takes(live, force, d.identity, "")
	done, err := d.cluster.Apply(ctx, o, cluster.ApplyOptions{Force: taken, Autoscaled: d.seen.scaled, DryRun: true})
	after := done.Object
	switch {
	case cluster.IsGone(err):
		after = o // its kind or its namespace comes with the release
	case sdk.CodeOf(err) == sdk.InvalidArgument && live != nil && immutable(err):
		d.plan.Diagnostics.Errorf(nil, "%s cannot be changed in place: %v. Delete it first, with what it runs: %s",
			k.Short(), err, deleteCommand(k))
		return nil
	case err != nil:
		return err
	}
	if live != nil && d.seen.scaled.Digest(live) == d.seen.scaled.Digest(after) {
		return nil
	}
	step := sdk.Step{Resource: k.String(), Action: "update", Diff: diff(d.seen.normal(live), d.seen.normal(after)), Command: applyCommand(o, taken)}
	step.Summary = "change " + k.Short()
	if live == nil {
		step.Action, step.Summary = "create", "create "+k.Short()
	}
	if images := changedImages(live, after); images != "" {
		step.Summary += ": " + images
	}
	if len(r.Images) > 0 {
		step.Command = imageCommand(k, r.Images)
	}
	d.plan.Steps = append(d.plan.Steps, step)
	d.downtime(after, live)
	return nil
}

// downtime warns where pods are stopped before others start.
func (d *draft) downtime(after, live *unstructured.Unstructured) {
	if live == nil || templateDigest(live) == templateDigest(after) {
		return
	}
	strategy, _, err := unstructured.NestedString(after.Object, "spec", "strategy", "type")
	if err == nil && strategy == "Recreate" {
		d.plan.Diagnostics.Warnf(nil, "%s has strategy Recreate: its pods are stopped before new ones start", cluster.KeyOf(after).Short())
	}
}

// normal is an object as it is compared, with secrets hashed; nil stays nil.
func (s *scene) normal(o *unstructured.Unstructured) *unstructured.Unstructured {
	if o == nil {
		return nil
	}
	return s.scaled.Normalise(o)
}

// remove adds the steps of what is deleted: what ours had created and is no longer wanted.
func (d *draft) remove(wanted, absent []string) {
	n := notes{Keys: wanted}
	n.succeed(d.before, absent...)
	for _, k := range slices.Backward(parseKeys(n.Left)) {
		o := d.seen.objects[k]
		if o == nil {
			continue
		}
		stamp, ok := cluster.StampOf(o)
		if !ok || stamp.Identity != d.identity || stamp.Created == "" {
			continue
		}
		d.plan.Steps = append(d.plan.Steps, sdk.Step{
			Resource: k.String(), Action: "delete", Diff: diff(d.seen.normal(o), nil), Command: deleteCommand(k),
			Summary: "delete " + k.Short() + ", created by operation " + stamp.Created,
		})
	}
}

func (d *draft) rollback(ctx context.Context, to *state) error {
	n := to.notes()
	if err := d.look(ctx, union(parseKeys(n.Keys), parseKeys(to.Absent))); err != nil {
		return err
	}
	// What is expected is what the component is made of now.
	ours, err := d.Platform.look(ctx, d.before.keys())
	if err != nil {
		return err
	}
	d.plan.ObservedDigest = ours.digest()
	a := &act{Platform: d.Platform, stamp: cluster.Stamp{Identity: d.identity}}
	for _, one := range to.Objects {
		k := cluster.KeyOf(one.Object)
		live := d.seen.objects[k]
		target, step := one.Object, sdk.Step{Resource: k.String(), Action: "create", Summary: "create " + k.Short() + " again"}
		if live != nil {
			if err := kept(live); err != nil {
				return err
			}
			target = a.target(one, live, d.seen.scaled)
			step.Action, step.Summary = "update", "restore "+k.Short()
		}
		if live != nil && d.seen.scaled.Digest(unpinned(target)) == d.seen.scaled.Digest(unpinned(live)) {
			continue
		}
		if images := changedImages(live, target); images != "" {
			step.Summary += ": " + images
		}
		step.Diff = diff(d.seen.normal(live), d.seen.normal(target))
		step.Command = replaceCommand(target, live != nil)
		if one.Template && one.Revision != "" {
			step.Command = undoCommand(k, one.Revision)
		}
		d.plan.Steps = append(d.plan.Steps, step)
		d.downtime(target, live)
	}
	d.remove(n.Keys, to.Absent)
	d.plan.NotRestored = to.notRestored()
	return nil
}

// notRestored is what a way back leaves as it is.
func (s *state) notRestored() []string {
	all := []string{
		"data in volumes and databases",
		"what other systems received from it meanwhile",
	}
	for _, text := range s.Unread {
		all = append(all, "what could not be read when the snapshot was taken: "+text)
	}
	for _, one := range s.Objects {
		if !one.Template {
			continue
		}
		for _, k := range referred(one.Object) {
			all = append(all, k.Short()+": only the template of the earlier revision is known")
		}
	}
	return all
}
