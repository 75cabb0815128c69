package follow

// Requests counts what the API server was asked since New.
type Requests struct {
	List  uint64
	Watch uint64
	Get   uint64 // objects that others refer to, kinds, and whether it answers at all
	Log   uint64
}

// Requests counts what the API server was asked since New.
func (f *Follower) Requests() Requests { return Requests{} }

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
func (f *Follower) Sources() []Source { return nil }
