package cluster

import (
	"time"

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
	// application, the Flux Kustomization or HelmRelease, else the field manager.
	Name string
	// Manager is its field manager; "" where only labels or annotations tell.
	Manager string
	// Command is how the owner itself would be asked to go back, for people; "" where
	// there is none.
	Command string
}

// OwnersOf says who keeps an object: first those whose labels and annotations it
// carries (Helm, Argo CD, Flux), then every field manager that wrote desired state,
// newest first.
func OwnersOf(o *unstructured.Unstructured) []Owner { return ownersOf(o) }

// KeeperOf is the tool that would undo what we change: Helm, Argo CD or Flux. ok is false
// where there is none.
func KeeperOf(o *unstructured.Unstructured) (Owner, bool) { return keeperOf(o) }

// Change is who wrote desired state of an object last.
type Change struct {
	By Owner
	At time.Time
	// Fields are the paths that differ, as far as they are known:
	// .spec.template.spec.containers[name="api"].image
	Fields []string
}

// ChangeOf says who changed the desired state of an object from before to after, which
// may be nil: then nobody is known who made or deleted it.
func ChangeOf(before, after *unstructured.Unstructured) Change { return changeOf(before, after) }

// LastChangeOf says who wrote desired state of an object last, other than us and
// Kubernetes' own controllers. ok is false where nobody did.
func LastChangeOf(o *unstructured.Unstructured) (Change, bool) { return lastChangeOf(o) }

func ownersOf(o *unstructured.Unstructured) []Owner            { return nil }
func keeperOf(o *unstructured.Unstructured) (Owner, bool)      { return Owner{}, false }
func changeOf(before, after *unstructured.Unstructured) Change { return Change{} }
func lastChangeOf(o *unstructured.Unstructured) (Change, bool) { return Change{}, false }
