package cluster

import (
	"cmp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// OwnerKind is a kind of tool that keeps objects as it wants them.
type OwnerKind string

// The kinds of owner.
const (
	OwnerUs         OwnerKind = "apm"
	OwnerHelm       OwnerKind = "Helm"
	OwnerArgo       OwnerKind = "Argo CD"
	OwnerFlux       OwnerKind = "Flux"
	OwnerKubernetes OwnerKind = "Kubernetes" // its own controllers: status, scaling, defaults
	OwnerOther      OwnerKind = "other"      // kubectl, an operator, a person
)

// Owner is who keeps an object, or some of its fields.
type Owner struct {
	Kind OwnerKind
	// Name is what the tool calls it: the Helm release "shop/web", the Argo CD
	// application, the Flux Kustomization or HelmRelease "flux-system/shop", else the
	// field manager.
	Name string
	// Manager is its field manager; "" where only labels or annotations tell.
	Manager string
	// Command is what a person types to have the owner itself go back, or keep it from
	// undoing what we change; "" where there is none.
	Command string
}

// String is for sentences: `Helm release shop/web`, `kubectl-edit`.
func (o Owner) String() string {
	switch o.Kind {
	case OwnerHelm:
		return strings.TrimSpace("Helm release " + o.Name)
	case OwnerArgo:
		return strings.TrimSpace("Argo CD application " + o.Name)
	case OwnerFlux:
		return strings.TrimSpace("Flux " + o.Name)
	default:
		return cmp.Or(o.Name, o.Manager, "unknown")
	}
}

// Labels and annotations by which tools know what is theirs.
const (
	helmName      = "meta.helm.sh/release-name"
	helmNamespace = "meta.helm.sh/release-namespace"
	argoTracking  = "argocd.argoproj.io/tracking-id"
	argoInstance  = "argocd.argoproj.io/instance"
	fluxKustomize = "kustomize.toolkit.fluxcd.io/"
	fluxHelm      = "helm.toolkit.fluxcd.io/"
	labelInstance = "app.kubernetes.io/instance"
)

// KeeperOf is the tool that would undo what we change, or whose records would no longer
// be true: Helm, Argo CD or Flux. ok is false where there is none. Flux and Argo CD come
// before Helm, which they may use.
func KeeperOf(o *unstructured.Unstructured) (keeper Owner, ok bool) {
	labels, annotations := o.GetLabels(), o.GetAnnotations()
	if name := labels[fluxHelm+"name"]; name != "" {
		return flux("helmrelease", "HelmRelease", labels[fluxHelm+"namespace"], name), true
	}
	if name := labels[fluxKustomize+"name"]; name != "" {
		return flux("kustomization", "Kustomization", labels[fluxKustomize+"namespace"], name), true
	}
	app, _, _ := strings.Cut(annotations[argoTracking], ":")
	if app = cmp.Or(app, labels[argoInstance]); app == "" && managed(o, OwnerArgo) {
		app = labels[labelInstance] // how Argo CD tracks unless told otherwise
	}
	if app != "" {
		return Owner{Kind: OwnerArgo, Name: app, Command: "argocd app rollback " + app}, true
	}
	if name := annotations[helmName]; name != "" {
		namespace := cmp.Or(annotations[helmNamespace], o.GetNamespace())
		return Owner{Kind: OwnerHelm, Name: namespace + "/" + name, Command: "helm rollback " + name + " --namespace " + namespace}, true
	}
	return Owner{}, false
}

func flux(command, kind, namespace, name string) Owner {
	return Owner{
		Kind: OwnerFlux, Name: kind + " " + namespace + "/" + name,
		Command: "flux suspend " + command + " " + name + " --namespace " + namespace,
	}
}

func managed(o *unstructured.Unstructured, by OwnerKind) bool {
	return slices.ContainsFunc(entries(o), func(e entry) bool { return ownerOfManager(e.Manager).Kind == by })
}

// OwnersOf says who keeps an object: first the tool whose labels or annotations it carries
// ([KeeperOf]), then every field manager that wrote desired state, newest first. Each
// stands there once.
func OwnersOf(o *unstructured.Unstructured) []Owner {
	var all []Owner
	keeper, kept := KeeperOf(o)
	if kept {
		all = append(all, keeper)
	}
	for _, e := range entries(o) {
		owner := ownerOfManager(e.Manager)
		known := func(other Owner) bool {
			return other.Manager == owner.Manager || kept && other.Kind == owner.Kind && other.Manager == ""
		}
		if !slices.ContainsFunc(all, known) {
			all = append(all, owner)
		}
	}
	return all
}

// managers are the field managers of known tools.
var managers = map[string]OwnerKind{
	Manager: OwnerUs, "helm": OwnerHelm,
	"argocd-controller": OwnerArgo, "argocd-application-controller": OwnerArgo, "argocd-server": OwnerArgo,
	"kustomize-controller": OwnerFlux, "helm-controller": OwnerFlux,
	"kube-controller-manager": OwnerKubernetes, "kube-apiserver": OwnerKubernetes, "kube-scheduler": OwnerKubernetes,
	"kubelet": OwnerKubernetes, "cloud-controller-manager": OwnerKubernetes, "k3s": OwnerKubernetes,
}

func ownerOfManager(manager string) Owner {
	return Owner{Kind: cmp.Or(managers[manager], OwnerOther), Name: manager, Manager: manager}
}

// entry is who wrote desired state, and which.
type entry struct {
	Manager     string
	Operation   metav1.ManagedFieldsOperationType
	Subresource string
	At          time.Time
	Fields      []byte
}

// entries are those of an object that are about desired state, newest first.
func entries(o *unstructured.Unstructured) []entry {
	var all []entry
	for _, f := range o.GetManagedFields() {
		if f.Subresource != "" && f.Subresource != "scale" {
			continue // status, and what is like it
		}
		e := entry{Manager: f.Manager, Operation: f.Operation, Subresource: f.Subresource}
		if f.Time != nil {
			e.At = f.Time.Time
		}
		if f.FieldsV1 != nil {
			e.Fields = f.FieldsV1.GetRawBytes()
		}
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b entry) int { return b.At.Compare(a.At) })
	return all
}
