package deployment

import "time"

// OperationKind is deploy or rollback.
type OperationKind string

// The kinds of operation.
const (
	OperationDeploy   OperationKind = "deploy"
	OperationRollback OperationKind = "rollback"
)

// Handle is opaque state of a plugin.
type Handle struct {
	Version uint32 `json:"version,omitempty"`
	State   []byte `json:"state,omitempty"`
}

// Operation is one deploy or rollback of one component. It is stored before the
// first call that carries its id.
type Operation struct {
	ID     string        `json:"id"`
	Kind   OperationKind `json:"kind"`
	Digest string        `json:"digest"`
	Epoch  uint64        `json:"epoch"` // under which it was begun
	Staged bool          `json:"staged,omitempty"`
	// Expected is the observed digest that the call insists on, "" for none.
	Expected string `json:"expected,omitempty"`

	IntentAt   time.Time `json:"intent_at"`
	Handle     Handle    `json:"handle"`
	AcceptedAt time.Time `json:"accepted_at,omitzero"`
	Token      []byte    `json:"token,omitempty"` // of Watch, stored with the events it covers

	Candidate   *Candidate `json:"candidate,omitempty"`
	CandidateOK time.Time  `json:"candidate_ok,omitzero"` // its checks passed N times in a row
	Percent     int        `json:"percent,omitempty"`     // last stored before Promote
	PercentAt   time.Time  `json:"percent_at,omitzero"`   // when that percent was in force
	CancelAt    time.Time  `json:"cancel_at,omitzero"`

	Fraction float64   `json:"fraction,omitempty"`
	Phase    string    `json:"phase,omitempty"`
	Message  string    `json:"message,omitempty"`
	Outcome  *Outcome  `json:"outcome,omitempty"`
	EndedAt  time.Time `json:"ended_at,omitzero"`
}

// Waits says whether the operation has at most brought up a candidate: no
// traffic has moved to it.
func (o *Operation) Waits() bool {
	return o.Staged && o.Percent == 0 && (o.Outcome == nil || o.Outcome.Result != ResultSucceeded)
}

// Candidate is a release that is up beside the old one.
type Candidate struct {
	Addresses map[string]string `json:"addresses,omitempty"`
	Revision  string            `json:"revision,omitempty"`
	Percent   int               `json:"percent"`
}

// Result is how an operation ended.
type Result string

// The results.
const (
	ResultSucceeded  Result = "succeeded"
	ResultFailed     Result = "failed"
	ResultCancelled  Result = "cancelled"
	ResultSuperseded Result = "superseded"
	// ResultRefused: the platform changed nothing (state changed, stale, ...).
	ResultRefused Result = "refused"
)

// Outcome ends an operation.
type Outcome struct {
	Result       Result            `json:"result"`
	Message      string            `json:"message,omitempty"`
	Failure      *Failure          `json:"failure,omitempty"`
	Addresses    map[string]string `json:"addresses,omitempty"`
	Revision     string            `json:"revision,omitempty"`
	SupersededBy string            `json:"superseded_by,omitempty"`
}

// Evidence is all that a person needs to see of a failure, kept before anything
// is undone.
type Evidence struct {
	Component  string        `json:"component"`
	Code       string        `json:"code"`
	Resource   string        `json:"resource,omitempty"`
	Message    string        `json:"message"`
	Suggestion string        `json:"suggestion,omitempty"`
	Logs       []LogLine     `json:"logs,omitempty"`
	Events     []string      `json:"events,omitempty"`
	Checks     []CheckRecord `json:"checks,omitempty"` // the last observations, oldest first
	Resources  []Resource    `json:"resources,omitempty"`
	At         time.Time     `json:"at"`
}

// CheckRecord is one line of a check transcript.
type CheckRecord struct {
	Check string `json:"check"`
	Observation
}

// LogLine is one line of a resource's output.
type LogLine struct {
	Resource string    `json:"resource,omitempty"`
	Line     string    `json:"line"`
	Previous bool      `json:"previous,omitempty"`
	Time     time.Time `json:"time"`
	Stream   string    `json:"stream,omitempty"`
}
