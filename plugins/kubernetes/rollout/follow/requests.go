package follow

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// Requests counts what the API server was asked since New.
type Requests struct {
	List  uint64
	Watch uint64
	Get   uint64 // objects that others refer to, kinds, and whether it answers at all
	Log   uint64
}

type counters struct{ list, watch, get, log atomic.Uint64 }

// Requests counts what the API server was asked since New.
func (f *Follower) Requests() Requests {
	return Requests{
		List: f.requests.list.Load(), Watch: f.requests.watch.Load(), Get: f.requests.get.Load(), Log: f.requests.log.Load(),
	}
}

// Source is one watch.
type Source struct {
	Resource  string // pods, rollouts.argoproj.io
	Namespace string // "" of nodes
	Objects   int    // that are kept of it
	Users     int    // subjects that need it
	Synced    bool   // it has been read once
	Error     string // of the last request, "" if that went well
}

// Sources lists the watches that are open, sorted.
func (f *Follower) Sources() []Source {
	f.mu.RLock()
	defer f.mu.RUnlock()
	list := make([]Source, 0, len(f.sources))
	for _, s := range f.sources {
		synced, failure := s.state()
		s.mu.Lock()
		resource := cmp.Or(s.resource, s.place.kind)
		s.mu.Unlock()
		list = append(list, Source{
			Resource: resource, Namespace: s.place.namespace, Objects: s.shelf.len(),
			Users: len(s.users), Synced: synced, Error: failure,
		})
	}
	slices.SortFunc(list, func(a, b Source) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Resource, b.Resource))
	})
	return list
}
