package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Prefix is that of all labels and annotations of ours.
const Prefix = "apm-deploy.github.io/"

// The labels and annotations that we write. Labels select, annotations say it in full:
// the names of an application need not be good label values.
const (
	LabelComponent    = Prefix + "component"    // [Identity.Hash]
	LabelInstallation = Prefix + "installation" // a hash of it

	AnnotationInstallation = Prefix + "installation-id"
	AnnotationApplication  = Prefix + "application"
	AnnotationEnvironment  = Prefix + "environment"
	AnnotationName         = Prefix + "component-name"
	AnnotationVersion      = Prefix + "version"
	AnnotationOperation    = Prefix + "operation"
	AnnotationDigest       = Prefix + "request-digest"
	AnnotationEpoch        = Prefix + "epoch"
	// AnnotationCreated is on what an operation of ours created: its id.
	AnnotationCreated = Prefix + "created-by"
)

// Identity is a component of an installation.
type Identity struct {
	Installation string
	Application  string
	Environment  string
	Component    string
}

// Hash is the identity as a label value and as part of names: 20 hex digits.
func (i Identity) Hash() string {
	return hash(i.Installation, i.Application, i.Environment, i.Component)
}

// HashInstallation is the label value of an installation.
func HashInstallation(installation string) string { return hash(installation) }

func hash(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		sum.Write([]byte(strconv.Itoa(len(part))))
		sum.Write([]byte{':'})
		sum.Write([]byte(part))
	}
	return hex.EncodeToString(sum.Sum(nil)[:10])
}

// Stamp is what is written on an object that an operation touches.
type Stamp struct {
	Identity
	Version   string // of the application
	Operation string
	Digest    string // of the request
	Epoch     uint64
	// Created is the operation that created the object; "" was there before us. Apply
	// fills it in.
	Created string
}

// StampOf reads the stamp of an object; ok is false where it has none.
func StampOf(o *unstructured.Unstructured) (s Stamp, ok bool) {
	a := o.GetAnnotations()
	if a[AnnotationOperation] == "" {
		return Stamp{}, false
	}
	epoch, err := strconv.ParseUint(a[AnnotationEpoch], 10, 64)
	return Stamp{
		Identity: Identity{
			Installation: a[AnnotationInstallation], Application: a[AnnotationApplication],
			Environment: a[AnnotationEnvironment], Component: a[AnnotationName],
		},
		Version: a[AnnotationVersion], Operation: a[AnnotationOperation], Digest: a[AnnotationDigest], Epoch: epoch,
		Created: a[AnnotationCreated],
	}, err == nil
}

// labels and annotations are the stamp as it is written.
func (s Stamp) labels() map[string]string {
	return map[string]string{LabelComponent: s.Hash(), LabelInstallation: HashInstallation(s.Installation)}
}

func (s Stamp) annotations() map[string]string {
	all := map[string]string{
		AnnotationInstallation: s.Installation, AnnotationApplication: s.Application, AnnotationEnvironment: s.Environment,
		AnnotationName: s.Component, AnnotationOperation: s.Operation, AnnotationDigest: s.Digest,
		AnnotationEpoch: strconv.FormatUint(s.Epoch, 10),
	}
	if s.Version != "" {
		all[AnnotationVersion] = s.Version
	}
	if s.Created != "" {
		all[AnnotationCreated] = s.Created
	}
	return all
}

// Put writes a stamp on an object, beside its other labels and annotations. The pod
// template stays as it is: a stamp starts no rollout.
func (s Stamp) Put(o *unstructured.Unstructured) {
	o.SetLabels(merged(o.GetLabels(), s.labels()))
	o.SetAnnotations(merged(o.GetAnnotations(), s.annotations()))
}

// Strip takes every stamp of ours off an object.
func Strip(o *unstructured.Unstructured) {
	o.SetLabels(without(o.GetLabels()))
	o.SetAnnotations(without(o.GetAnnotations()))
}

func merged(all, more map[string]string) map[string]string {
	all = maps.Clone(all)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, more)
	return all
}

func without(all map[string]string) map[string]string {
	all = maps.Clone(all)
	maps.DeleteFunc(all, func(key, _ string) bool { return strings.HasPrefix(key, Prefix) })
	if len(all) == 0 {
		return nil
	}
	return all
}
