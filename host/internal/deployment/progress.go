package deployment

import "time"

// Progress of a run, in the words of the product description.
type Progress struct {
	Percentage   float64 `json:"percentage"` // never falls within a run; 100 only at its good end
	CurrentStep  int     `json:"current_step"`
	TotalSteps   int     `json:"total_steps"`
	CurrentStage string  `json:"current_stage"`
}

// ETABasis says what an estimate rests on.
type ETABasis string

// The bases of an estimate.
const (
	BasisHistory ETABasis = "history" // at least 3 past runs: P50 to P90
	BasisWaits   ETABasis = "waits"   // the run's own known waits: checks, bake, steps
)

// ETA is when a run is expected to end. Waiting for people is left out.
type ETA struct {
	Basis    ETABasis  `json:"basis"`
	Earliest time.Time `json:"earliest"`
	Latest   time.Time `json:"latest"`
	Overdue  bool      `json:"overdue,omitempty"` // Latest has passed
}
