package follow

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// A record is what is kept of an object. It is never changed once it is on a shelf.
type record interface {
	metav1.ObjectMetaAccessor
	core() *head
}

// head is what every record has.
type head struct {
	name    string
	uid     string
	version string // resourceVersion
	parent  parent
}

// parent is what an object belongs to: its controller; what an event is about; the Service
// of an EndpointSlice.
type parent struct{ kind, name, uid string }

// key is how children are found.
func (p parent) key() string {
	if p.uid != "" {
		return p.uid
	}
	return p.kind + "/" + p.name
}

func (h *head) core() *head { return h }

// GetObjectMeta is what the reflector wants to know of the things that it carries.
func (h *head) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Name: h.name, ResourceVersion: h.version}
}

// A reader makes records of objects. It keeps one copy of the strings and lists that
// thousands of objects share.
type reader struct {
	mu      sync.Mutex
	strings map[string]string
	amounts map[string]map[string]string
}

// most bounds the tables of a reader: what is in them is forgotten then, and shared anew.
const most = 20000

func newReader() *reader {
	return &reader{strings: map[string]string{}, amounts: map[string]map[string]string{}}
}

// one returns the copy of s that all share.
func (r *reader) one(s string) string {
	if s == "" {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if shared, ok := r.strings[s]; ok {
		return shared
	}
	if len(r.strings) >= most {
		clear(r.strings)
	}
	r.strings[s] = s
	return s
}

// head of an object with its controller.
func (r *reader) head(meta *metav1.ObjectMeta) head {
	h := head{name: meta.Name, uid: string(meta.UID), version: meta.ResourceVersion}
	if owner := metav1.GetControllerOfNoCopy(meta); owner != nil {
		h.parent = parent{kind: r.one(owner.Kind), name: r.one(owner.Name), uid: r.one(string(owner.UID))}
	}
	return h
}

// ref of an object.
func (r *reader) ref(apiVersion, kind string, meta *metav1.ObjectMeta) picture.Ref {
	return picture.Ref{
		APIVersion: apiVersion, Kind: kind, Namespace: r.one(meta.Namespace), Name: meta.Name, UID: string(meta.UID),
	}
}

// quantities as they are written, cpu and memory only.
func (r *reader) quantities(list corev1.ResourceList) map[string]string {
	var cpu, memory string
	if q, ok := list[corev1.ResourceCPU]; ok {
		cpu = q.String()
	}
	if q, ok := list[corev1.ResourceMemory]; ok {
		memory = q.String()
	}
	if cpu == "" && memory == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := cpu + " " + memory
	if shared, ok := r.amounts[key]; ok {
		return shared
	}
	if len(r.amounts) >= most {
		clear(r.amounts)
	}
	made := map[string]string{}
	if cpu != "" {
		made["cpu"] = cpu
	}
	if memory != "" {
		made["memory"] = memory
	}
	r.amounts[key] = made
	return made
}
