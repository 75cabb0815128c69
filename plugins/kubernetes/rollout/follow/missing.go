package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// absent remembers for a moment whether objects that pods refer to are there. They are
// asked for by name, without their content, and only when a pod does not start: watching
// them would mean to read every Secret of a namespace.
type absent struct {
	mu    sync.Mutex
	known map[absentKey]answer
}

type absentKey struct{ kind, namespace, name string }

type answer struct {
	at      time.Time
	missing bool
	err     error
}

const (
	fresh      = 2 * time.Second // how long an answer holds
	starting   = 5 * time.Second // a pod that is pending for longer may lack something
	mostAsked  = 50
	mostKnown  = 1000
	askedWhile = 5 * time.Second
)

// resources that pods refer to.
var resources = map[string]schema.GroupVersionResource{
	"ConfigMap":             {Version: "v1", Resource: "configmaps"},
	"Secret":                {Version: "v1", Resource: "secrets"},
	"PersistentVolumeClaim": {Version: "v1", Resource: "persistentvolumeclaims"},
	"ServiceAccount":        {Version: "v1", Resource: "serviceaccounts"},
}

// stuck are the words of kubelet, scheduler and controllers for a pod that lacks something.
var stuck = map[string]bool{
	"CreateContainerConfigError": true, "CreateContainerError": true, "ErrImagePull": true, "ImagePullBackOff": true,
	"FailedMount": true, "FailedAttachVolume": true, "FailedToRetrieveImagePullSecret": true, "FailedScheduling": true,
	"FailedCreate": true,
}

// lacks says that a pod may not start for want of an object.
func lacks(w *picture.Workload, now time.Time) bool {
	hindered := func(e picture.Event) bool { return stuck[e.Reason] }
	if slices.ContainsFunc(w.Revisions, func(r picture.Revision) bool { return r.Newest && r.Failure != "" }) {
		return true
	}
	if int32(len(w.Pods)) < w.Desired && slices.ContainsFunc(w.Events, hindered) {
		return true
	}
	for i := range w.Pods {
		pod := &w.Pods[i]
		if pod.Ready || !pod.Deleted.IsZero() || pod.Phase == "Succeeded" {
			continue
		}
		if pod.Phase == "Pending" && now.Sub(pod.Created) > starting || slices.ContainsFunc(pod.Events, hindered) {
			return true
		}
		if slices.ContainsFunc(pod.Containers, func(c picture.Container) bool { return stuck[c.State.Reason] }) {
			return true
		}
	}
	return false
}

// missing asks for what the pods of p's workloads refer to. What cannot be asked for is Blind.
func (f *Follower) missing(ctx context.Context, p *picture.Picture, refers [][]reference) []picture.Missing {
	ctx, cancel := context.WithTimeout(ctx, askedWhile)
	defer cancel()
	var found []picture.Missing
	asked := 0
	for i := range p.Workloads {
		w := &p.Workloads[i]
		if len(refers[i]) == 0 || !lacks(w, p.At) {
			continue
		}
		for _, ref := range refers[i] {
			if asked++; asked > mostAsked {
				return found
			}
			key := absentKey{ref.kind, w.Namespace, ref.name}
			a := f.there(ctx, key)
			switch {
			case a.err != nil:
				p.Blind = append(p.Blind, fmt.Sprintf("get %s %s/%s: %v", ref.kind, w.Namespace, ref.name, a.err))
			case a.missing:
				found = append(found, picture.Missing{
					Object: picture.Ref{APIVersion: "v1", Kind: ref.kind, Namespace: w.Namespace, Name: ref.name},
					By:     w.Ref, Where: ref.where,
				})
			}
		}
	}
	return found
}

func (f *Follower) there(ctx context.Context, key absentKey) answer {
	f.absent.mu.Lock()
	a, ok := f.absent.known[key]
	f.absent.mu.Unlock()
	if ok && time.Since(a.at) < fresh {
		return a
	}
	f.requests.get.Add(1)
	_, err := f.clients.metadata.Resource(resources[key.kind]).Namespace(key.namespace).Get(ctx, key.name, metav1.GetOptions{})
	a = answer{at: time.Now(), missing: apierrors.IsNotFound(err), err: err}
	if a.missing {
		a.err = nil
	}
	if errors.Is(err, context.Canceled) {
		return a
	}
	f.absent.mu.Lock()
	if len(f.absent.known) >= mostKnown {
		clear(f.absent.known)
	}
	f.absent.known[key] = a
	f.absent.mu.Unlock()
	return a
}
