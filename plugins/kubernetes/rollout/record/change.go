package record

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

const (
	// driverLooks is how old what is known may be for a driver: if it was taken over, a
	// step finds out in any case.
	driverLooks = 5 * time.Second
	// patience is how long the cluster has for one answer.
	patience = 15 * time.Second
	// attempts is how often a change is tried that others come before.
	attempts = 20
	// waitLeast and waitMost are between attempts while the cluster is down.
	waitLeast = 500 * time.Millisecond
	waitMost  = 10 * time.Second
)

// basis is what a change begins with.
type basis int

const (
	fresh  basis = iota // what the cluster has
	cached              // what this process has seen last: a refusal is looked at again
)

func (j *Journal) secrets() typed.SecretInterface {
	return j.book.config.Cluster.Typed().CoreV1().Secrets(j.namespace)
}

// answer is an error of the contract.
func (j *Journal) answer(verb, name string, err error) error {
	return cluster.Answer(cluster.Call{Verb: verb, Resource: "secrets", Namespace: j.namespace, Name: name}, err)
}

// Read returns what is written down now.
func (j *Journal) Read(ctx context.Context) (*Record, error) {
	s, err := j.read(ctx)
	if err != nil {
		return nil, err
	}
	return j.record(s)
}

// recent is Read, of what is known if that is not older than so.
func (j *Journal) recent(ctx context.Context, old time.Duration) (*Record, error) {
	j.place.mu.Lock()
	s, at := j.place.latest, j.place.looked
	j.place.mu.Unlock()
	if s != nil && time.Since(at) < old {
		return j.record(s)
	}
	return j.Read(ctx)
}

func (j *Journal) read(ctx context.Context) (*stored, error) {
	j.place.mu.Lock()
	writes := j.place.writes
	j.place.mu.Unlock()
	secret, err := bounded(ctx, func(ctx context.Context) (*corev1.Secret, error) {
		return j.secrets().Get(ctx, j.name, metav1.GetOptions{})
	})
	switch {
	case apierrors.IsNotFound(err):
		secret = nil
	case err != nil:
		return nil, j.answer("get", j.name, err)
	}
	s, err := j.parse(secret)
	if err != nil {
		return nil, err
	}
	j.place.saw(s, writes)
	return s, nil
}

// saw remembers what was read, unless something was written since that began.
func (p *place) saw(s *stored, writes uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writes != writes {
		return
	}
	if p.latest != nil && p.latest.version != s.version {
		p.wakeLocked() // somebody else wrote
	}
	p.latest, p.looked = s, time.Now()
}

func (p *place) wrote(s *stored) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest, p.looked = s, time.Now()
	p.writes++
	p.wakeLocked()
}

// change has a record changed, and writes it if it did change, by compare and set: when
// somebody else wrote meanwhile apply is called anew with what they wrote. After an error
// of apply nothing is written. goal is that of an operation that apply may add.
func (j *Journal) change(ctx context.Context, from basis, goal *packed, apply func(*Record) error) error {
	if err := j.place.acquire(ctx); err != nil {
		return err
	}
	defer j.place.release()
	for attempt := 1; ; attempt++ {
		j.place.mu.Lock()
		s := j.place.latest
		j.place.mu.Unlock()
		known := from == cached && s != nil && attempt == 1
		var err error
		if !known {
			if s, err = j.read(ctx); err != nil {
				return err
			}
		}
		err = j.set(ctx, s, goal, apply)
		switch {
		case err == nil:
			return nil
		case known && !cluster.IsDown(err): // perhaps not true any more
		case errors.Is(err, errMoved) && attempt < attempts:
		case errors.Is(err, errMoved):
			return sdk.Errorf(sdk.Aborted, sdk.ReasonConflict, "write Secret %s/%s: others write it all the time", j.namespace, j.name)
		default:
			return err
		}
	}
}

// errMoved is matched where somebody else wrote since the record was read.
var errMoved = errors.New("somebody else wrote meanwhile")

// set changes the record that s holds and writes what follows.
func (j *Journal) set(ctx context.Context, s *stored, goal *packed, apply func(*Record) error) error {
	r, err := j.record(s)
	if err != nil {
		return err
	}
	if err := apply(r); err != nil {
		return err
	}
	to, err := j.next(s, r, goal)
	if err != nil || to == nil {
		return err
	}
	secret := j.secret(to)
	verb := "update"
	written, err := bounded(ctx, func(ctx context.Context) (*corev1.Secret, error) {
		if secret.ResourceVersion == "" {
			verb = "create"
			return j.secrets().Create(ctx, secret, metav1.CreateOptions{FieldManager: cluster.Manager})
		}
		return j.secrets().Update(ctx, secret, metav1.UpdateOptions{FieldManager: cluster.Manager})
	})
	switch {
	case err == nil:
		to.version = written.ResourceVersion
		j.place.wrote(to)
		return nil
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), verb == "update" && apierrors.IsNotFound(err):
		return errMoved
	default:
		return j.answer(verb, j.name, err)
	}
}

// bounded asks the cluster with a patience of our own: an API server that hangs is one
// that is down.
func bounded[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	inner, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	got, err := ask(inner)
	if err != nil && ctx.Err() == nil && inner.Err() != nil {
		err = sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "the API server has not answered for %s: %w", patience, err)
	}
	return got, err
}

// persist does over and over what fails because the cluster is down.
func (j *Journal) persist(ctx context.Context, do func(context.Context) error) error {
	for wait := waitLeast; ; wait = min(2*wait, waitMost) {
		err := do(ctx)
		if !cluster.IsDown(err) {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
