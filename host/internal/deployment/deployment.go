package deployment

import "time"

// Deployment is one attempt to bring one version of an application to one
// environment, with all recorded facts. It is one aggregate: stored whole, under
// the epoch of the target's lease.
type Deployment struct {
	ID string `json:"id"`
	Target
	Version    string     `json:"version"`
	Remove     bool       `json:"remove,omitempty"` // a deployment without components
	Definition Definition `json:"definition"`
	Actor      Actor      `json:"actor"`
	AcceptedAt time.Time  `json:"accepted_at"`

	// Components in the order in which they are deployed; those that the
	// definition dropped stand last.
	Components []Component `json:"components"`
	Runs       []Run       `json:"runs"`

	// Previous is the deployment that was current when this one took the lock.
	Previous        string `json:"previous,omitempty"`
	PreviousVersion string `json:"previous_version,omitempty"`

	Waiting   *Waiting  `json:"waiting,omitempty"`
	Seq       uint64    `json:"seq"` // of the last event
	UpdatedAt time.Time `json:"updated_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	EndedBy   string    `json:"ended_by,omitempty"` // host

	// Status and Reason are Derive of the facts above, kept for lists.
	Status Status `json:"status"`
	Reason string `json:"reason"`
}

// Component is one component of a deployment.
type Component struct {
	Name       string              `json:"name"`
	Platform   string              `json:"platform"`
	DependsOn  []string            `json:"depends_on,omitempty"`
	Definition ComponentDefinition `json:"definition"` // of a dropped one: of the deployment that runs
	Dropped    bool                `json:"dropped,omitempty"`
	Release    *ReleaseRef         `json:"release,omitempty"`
	Before     *SnapshotRef        `json:"before,omitempty"`
	After      *SnapshotRef        `json:"after,omitempty"`
	// BeforeFrom is the deployment whose content ran before, "" if none of ours.
	BeforeFrom string `json:"before_from,omitempty"`
	// BeforeVersion is the version that ran before.
	BeforeVersion string `json:"before_version,omitempty"`
	// BeforeRunning is what the target recorded of it.
	BeforeRunning *Running `json:"before_running,omitempty"`
	Unchanged     bool     `json:"unchanged,omitempty"`

	Resources []Resource        `json:"resources,omitempty"`
	Checks    []Check           `json:"checks,omitempty"`
	Addresses map[string]string `json:"addresses,omitempty"`
	Revision  string            `json:"revision,omitempty"`
	Evidence  []EvidenceRef     `json:"evidence,omitempty"`

	// Status and Reason are derived, as those of the deployment.
	Status Status `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// ReleaseRef names a sealed release; the content is a Blob.
type ReleaseRef struct {
	Key      string            `json:"key"`
	Digest   string            `json:"digest"` // "" where content cannot be compared
	Revision string            `json:"revision,omitempty"`
	View     map[string]string `json:"view,omitempty"`
}

// SnapshotRef names a sealed snapshot; the content is a Blob.
type SnapshotRef struct {
	Key            string            `json:"key"`
	Digest         string            `json:"digest,omitempty"`
	ObservedDigest string            `json:"observed_digest,omitempty"`
	Revision       string            `json:"revision,omitempty"`
	View           map[string]string `json:"view,omitempty"`
	Empty          bool              `json:"empty,omitempty"`
	TakenAt        time.Time         `json:"taken_at"`
}

// EvidenceRef names a sealed Evidence.
type EvidenceRef struct {
	Key       string    `json:"key"`
	Run       int       `json:"run"`
	Component string    `json:"component"`
	Code      string    `json:"code"`
	At        time.Time `json:"at"`
}

// Component returns the component of that name, or nil.
func (d *Deployment) Component(name string) *Component {
	for i := range d.Components {
		if d.Components[i].Name == name {
			return &d.Components[i]
		}
	}
	return nil
}

// LastEnd is when the last run ended that was more than a rollback which never
// began; zero if there is none.
func (d *Deployment) LastEnd() time.Time {
	for i := len(d.Runs) - 1; i >= 0; i-- {
		r := &d.Runs[i]
		if !r.Open() && (r.Kind != RunRollback || !r.LockedAt.IsZero()) {
			return r.EndedAt
		}
	}
	return time.Time{}
}

// Run returns the last run, or nil.
func (d *Deployment) Run() *Run {
	if len(d.Runs) == 0 {
		return nil
	}
	return &d.Runs[len(d.Runs)-1]
}
