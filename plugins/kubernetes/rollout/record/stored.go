package record

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

// The labels of our Secrets, beside those of their component.
const (
	labelRecord  = cluster.Prefix + "record"
	operations   = "operations" // the Secret of a component
	content      = "content"    // part of a goal
	labelManaged = "app.kubernetes.io/managed-by"

	secretType = corev1.SecretType(cluster.Prefix + "record")
)

// The keys of the Secret of a component.
const (
	keyFormat = "format"
	keyRecord = "record"
	goalKey   = "goal-" // and the start of its digest
)

// maxRecord is how large what is written of operations may be, compressed: with two
// goals beside it, it fits into a Secret.
const maxRecord = 512 << 10

// stored is the Secret of a component as it was read, or is to be written.
type stored struct {
	version string            // resourceVersion; "" is to be created
	text    []byte            // the record, as JSON
	goals   map[string][]byte // compressed, by key
}

// parse reads the Secret of the component; nil is none.
func (j *Journal) parse(secret *corev1.Secret) (*stored, error) {
	s := &stored{goals: map[string][]byte{}}
	if secret == nil {
		return s, nil
	}
	s.version = secret.ResourceVersion
	number, err := strconv.Atoi(string(secret.Data[keyFormat]))
	if err == nil && number > format {
		return nil, j.unreadable(fmt.Errorf("has format %d: %w", number, ErrNewer))
	}
	if err == nil {
		s.text, err = decompress(secret.Data[keyRecord])
	}
	if err != nil {
		return nil, j.unreadable(err)
	}
	for key, data := range secret.Data {
		if len(key) > len(goalKey) && key[:len(goalKey)] == goalKey {
			s.goals[key] = data
		}
	}
	return s, nil
}

func (j *Journal) unreadable(err error) error {
	return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict,
		"what is written in Secret %s/%s %w: %w", j.namespace, j.name, errUnreadable, err)
}

// record decodes a copy.
func (j *Journal) record(s *stored) (*Record, error) {
	r := &Record{}
	if s.text == nil {
		return r, nil
	}
	if err := json.Unmarshal(s.text, r); err != nil {
		return nil, j.unreadable(err)
	}
	if got := r.identity(); got != j.identity {
		return nil, j.unreadable(fmt.Errorf("it is of another component: %+v", got))
	}
	return r, nil
}

func (r *Record) identity() cluster.Identity {
	return cluster.Identity{Installation: r.Installation, Application: r.Application, Environment: r.Environment, Component: r.Component}
}

// next is what follows on s when a record was changed; nil where it was not. goal, if
// any, is that of an operation that was added.
func (j *Journal) next(s *stored, r *Record, goal *packed) (*stored, error) {
	r.Format = format
	r.Installation, r.Application = j.identity.Installation, j.identity.Application
	r.Environment, r.Component = j.identity.Environment, j.identity.Component
	text, err := fitting(r)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(text, s.text) {
		return nil, nil //nolint:nilnil // nothing to write
	}
	to := &stored{version: s.version, text: text, goals: map[string][]byte{}}
	for _, g := range r.wanted() {
		if g.Parts > 0 {
			continue
		}
		key := g.key()
		if goal != nil && goal.key() == key {
			to.goals[key] = goal.compressed
		} else if data, ok := s.goals[key]; ok {
			to.goals[key] = data
		}
	}
	return to, nil
}

// wanted are the goals that must be there.
func (r *Record) wanted() []*Goal {
	var all []*Goal
	if a := r.Active(); a != nil && a.Goal != nil {
		all = append(all, a.Goal)
	}
	if r.Serving != nil && r.Serving.Goal != nil {
		all = append(all, r.Serving.Goal)
	}
	return all
}

// fitting writes a record so that it fits: the oldest operations are forgotten where it
// would not.
func fitting(r *Record) ([]byte, error) {
	for _, o := range r.Operations[:max(0, len(r.Operations)-withEvidence)] {
		o.forgetEvidence()
	}
	for {
		text, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("write record: %w", err)
		}
		if len(text) <= maxRecord || len(compress(text)) <= maxRecord {
			return text, nil
		}
		if len(r.Operations) < 2 {
			return nil, sdk.Errorf(sdk.Internal, sdk.ReasonPluginBug, "what is to be written down of the component does not fit into a Secret: %d bytes", len(text))
		}
		r.Operations = r.Operations[(len(r.Operations)+1)/2:]
	}
}

// secret is the Secret to be written.
func (j *Journal) secret(s *stored) *corev1.Secret {
	data := maps.Clone(s.goals)
	data[keyFormat] = []byte(strconv.Itoa(format))
	data[keyRecord] = compress(s.text)
	o := &corev1.Secret{ObjectMeta: j.meta(j.name, operations), Type: secretType, Data: data}
	o.ResourceVersion = s.version
	return o
}

func (j *Journal) meta(name, what string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: j.namespace,
		Labels: map[string]string{
			labelManaged: cluster.Manager, labelRecord: what,
			cluster.LabelComponent:    j.identity.Hash(),
			cluster.LabelInstallation: cluster.HashInstallation(j.identity.Installation),
		},
		Annotations: map[string]string{
			cluster.AnnotationInstallation: j.identity.Installation, cluster.AnnotationApplication: j.identity.Application,
			cluster.AnnotationEnvironment: j.identity.Environment, cluster.AnnotationName: j.identity.Component,
		},
	}
}

func compress(text []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(text) // memory
	_ = w.Close()
	return out.Bytes()
}

// maxContent is the most that is decompressed.
const maxContent = 2 * sdk.MaxSnapshot

func decompress(data []byte) ([]byte, error) {
	in, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(in, maxContent+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxContent {
		return nil, fmt.Errorf("more than %d bytes", maxContent)
	}
	return text, nil
}
