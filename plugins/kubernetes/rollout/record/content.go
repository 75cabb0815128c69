package record

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

const (
	// inline is how much of a goal, compressed, lies beside the record.
	inline = 128 << 10
	// part is how much of it one Secret holds; 1 MiB is the limit of Kubernetes.
	part = 896 << 10
	// keyPart is where.
	keyPart = "part"
	// annotationUsed is when it was last used for a new operation.
	annotationUsed = cluster.Prefix + "used"
	// orphanAge is how old a part must be that no record refers to, to be removed: a
	// younger one may be of an operation that is being accepted.
	orphanAge = 10 * time.Minute
)

// packed is the content of a goal as it is kept.
type packed struct {
	Goal
	compressed []byte
}

func pack(text []byte) *packed {
	sum := sha256.Sum256(text)
	p := &packed{Goal: Goal{Digest: hex.EncodeToString(sum[:]), Size: len(text)}, compressed: compress(text)}
	if n := len(p.compressed); n > inline {
		p.Parts = (n + part - 1) / part
	}
	return p
}

func (g *Goal) short() string { return g.Digest[:min(20, len(g.Digest))] }
func (g *Goal) key() string   { return goalKey + g.short() }

func (j *Journal) partName(g *Goal, n int) string {
	return fmt.Sprintf("%s-%s-%d", j.name, g.short(), n)
}

// keep packs the goal of an operation and, if it is too large to lie beside the record
// and the operation is not known yet, writes its parts.
func (j *Journal) keep(ctx context.Context, operation sdk.Operation, text []byte) (*packed, error) {
	if text == nil {
		return nil, nil //nolint:nilnil // the goal is nothing
	}
	if len(text) > sdk.MaxSnapshot {
		return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "the goal of operation %q has %d bytes, more than %d", operation.ID, len(text), sdk.MaxSnapshot)
	}
	p := pack(text)
	if p.Parts == 0 {
		return p, nil
	}
	r, err := j.Read(ctx)
	if err == nil {
		var known *Operation
		if known, err = r.admit(operation); known != nil || err != nil {
			return p, err
		}
	}
	for n := 0; n < p.Parts && err == nil; n++ {
		err = j.putPart(ctx, p, n)
	}
	return p, err
}

func (j *Journal) putPart(ctx context.Context, p *packed, n int) error {
	immutable, name := true, j.partName(&p.Goal, n)
	o := &corev1.Secret{
		ObjectMeta: j.meta(name, content), Type: secretType, Immutable: &immutable,
		Data: map[string][]byte{keyPart: p.compressed[n*part : min(len(p.compressed), (n+1)*part)]},
	}
	_, err := j.secrets().Create(ctx, o, metav1.CreateOptions{FieldManager: cluster.Manager})
	if !apierrors.IsAlreadyExists(err) {
		return j.answer("create", name, err)
	}
	// It is of an earlier operation with the same goal, and may be about to be removed
	// with it: one that was used is as good as new.
	_, err = j.secrets().Patch(ctx, name, types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`,
		annotationUsed, time.Now().UTC().Format(time.RFC3339Nano)), metav1.PatchOptions{FieldManager: cluster.Manager})
	if apierrors.IsNotFound(err) {
		return j.putPart(ctx, p, n)
	}
	return j.answer("patch", name, err)
}

// Content reads the goal of an operation that is under way or whose goal runs; of any
// other it may be forgotten: NOT_FOUND. nil is the content of no goal.
func (j *Journal) Content(ctx context.Context, g *Goal) ([]byte, error) {
	if g == nil {
		return nil, nil
	}
	var data []byte
	if g.Parts == 0 {
		s, err := j.read(ctx)
		if err != nil {
			return nil, err
		}
		data = s.goals[g.key()]
	}
	for n := range g.Parts {
		name := j.partName(g, n)
		o, err := j.secrets().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, j.answer("get", name, err)
		}
		data = append(data, o.Data[keyPart]...)
	}
	if len(data) == 0 {
		return nil, sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "the content %s of an operation is no longer kept in Secret %s/%s", g.short(), j.namespace, j.name)
	}
	text, err := decompress(data)
	if err != nil {
		return nil, j.unreadable(fmt.Errorf("content %s: %w", g.short(), err))
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != g.Digest {
		return nil, j.unreadable(fmt.Errorf("content %s: somebody changed it", g.short()))
	}
	return text, nil
}

// sweep removes parts that nothing refers to any more, in its own time.
func (j *Journal) sweep() {
	j.book.spawn(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := j.sweepNow(ctx); err != nil && ctx.Err() == nil {
			j.book.config.Log.Warn("content of earlier operations is left on the cluster for now", "secret", j.namespace+"/"+j.name, "error", err)
		}
	})
}

func (j *Journal) sweepNow(ctx context.Context) error {
	resource := corev1.SchemeGroupVersion.WithResource("secrets")
	found, err := j.book.config.Cluster.Metadata().Resource(resource).Namespace(j.namespace).List(ctx, metav1.ListOptions{
		LabelSelector: labels.Set{labelRecord: content, cluster.LabelComponent: j.identity.Hash()}.String(),
	})
	if err != nil || len(found.Items) == 0 {
		return j.answer("list", "", err)
	}
	r, err := j.Read(ctx)
	if err != nil {
		return err
	}
	for i := range found.Items {
		o := &found.Items[i]
		if r.refers(j, o.Name) || time.Since(used(o)) < orphanAge {
			continue
		}
		err := j.secrets().Delete(ctx, o.Name, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &o.UID, ResourceVersion: &o.ResourceVersion}, // not if it was used since
		})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return j.answer("delete", o.Name, err)
		}
	}
	return nil
}

// used is when a part was made, or used again.
func used(o metav1.Object) time.Time {
	at, err := time.Parse(time.RFC3339Nano, o.GetAnnotations()[annotationUsed])
	if err != nil {
		return o.GetCreationTimestamp().Time
	}
	return at
}

func (r *Record) refers(j *Journal, name string) bool {
	for _, g := range r.wanted() {
		if g.Parts > 0 && strings.HasPrefix(name, fmt.Sprintf("%s-%s-", j.name, g.short())) {
			return true
		}
	}
	return false
}
