package follow

import (
	"slices"
	"sync"
)

// only the records of one type; those of one shelf are all of it.
func only[R record](records []record) []R {
	found := make([]R, 0, len(records))
	for _, r := range records {
		if one, ok := r.(R); ok {
			found = append(found, one)
		}
	}
	return found
}

// A shelf holds the records of one kind in one namespace, by name and by what they belong to.
type shelf struct {
	mu       sync.RWMutex
	byName   map[string]record
	byParent map[string][]record
}

func newShelf() *shelf {
	return &shelf{byName: map[string]record{}, byParent: map[string][]record{}}
}

// get returns the record of that name, or nil.
func (s *shelf) get(name string) record {
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byName[name]
}

// children returns the records that belong to an object.
func (s *shelf) children(uid, kind, name string) []record {
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := s.byParent[parent{uid: uid}.key()]
	if uid == "" {
		return slices.Clone(s.byParent[parent{kind: kind, name: name}.key()])
	}
	// Whoever writes an event by hand may leave the UID out.
	return slices.Concat(found, s.byParent[parent{kind: kind, name: name}.key()])
}

func (s *shelf) all() []record {
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	records := make([]record, 0, len(s.byName))
	for _, r := range s.byName {
		records = append(records, r)
	}
	return records
}

func (s *shelf) len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.byName)
}

// put returns the record that was there before.
func (s *shelf) put(r record) record {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.byName[r.core().name]
	if old != nil {
		s.leave(old)
	}
	s.byName[r.core().name] = r
	s.join(r)
	return old
}

// drop returns the record that was there.
func (s *shelf) drop(name string) record {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.byName[name]
	if old != nil {
		s.leave(old)
		delete(s.byName, name)
	}
	return old
}

// replace puts records in the place of all, and returns what came, went or changed.
func (s *shelf) replace(records []record) []record {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.byName
	s.byName = make(map[string]record, len(records))
	s.byParent = make(map[string][]record, len(records))
	var touched []record
	for _, r := range records {
		name := r.core().name
		s.byName[name] = r
		s.join(r)
		old := before[name]
		if old == nil || old.core().version != r.core().version || old.core().uid != r.core().uid {
			touched = append(touched, r)
		}
		delete(before, name)
	}
	for _, gone := range before {
		touched = append(touched, gone)
	}
	return touched
}

func (s *shelf) join(r record) {
	if p := r.core().parent; p != (parent{}) {
		s.byParent[p.key()] = append(s.byParent[p.key()], r)
	}
}

func (s *shelf) leave(r record) {
	p := r.core().parent
	if p == (parent{}) {
		return
	}
	rest := slices.DeleteFunc(s.byParent[p.key()], func(other record) bool { return other == r })
	if len(rest) == 0 {
		delete(s.byParent, p.key())
		return
	}
	s.byParent[p.key()] = rest
}
