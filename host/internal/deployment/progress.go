package deployment

import (
	"fmt"
	"math"
	"time"
)

// Progress of a run, in the words of the product description.
type Progress struct {
	Percentage   float64 `json:"percentage"` // never falls within a run; 100 only at its good end
	CurrentStep  int     `json:"current_step"`
	TotalSteps   int     `json:"total_steps"`
	CurrentStage string  `json:"current_stage"`
}

// The shares of a deploy run's percentage: preparing up to the first, deploying
// up to the second, verifying up to the last, which leaves 100 for the good end.
const (
	preparedPercent = 10.0
	deployedPercent = 70.0
	verifiedPercent = 99.0
)

// ProgressOf returns the progress of the last run.
func ProgressOf(d *Deployment) Progress {
	r := d.Run()
	if r == nil {
		return Progress{TotalSteps: 3, CurrentStep: 1, CurrentStage: "Accepted"}
	}
	p := Progress{TotalSteps: 3}
	var percentage float64
	if r.Kind == RunRollback {
		p.TotalSteps = 2
		p.CurrentStep, p.CurrentStage, percentage = rollbackProgress(r)
	} else {
		p.CurrentStep, p.CurrentStage, percentage = deployProgress(d, r)
	}
	switch {
	case !r.Open() && (r.Result == Completed || (r.Kind == RunRollback && r.Result == RolledBack)):
		p.Percentage = 100
		p.CurrentStep = p.TotalSteps
		p.CurrentStage = ended(r.Result)
		return p
	case !r.Open():
		p.CurrentStage = ended(r.Result)
	}
	p.Percentage = math.Round(math.Max(percentage, r.Percentage)*10) / 10
	if p.Percentage >= 100 {
		p.Percentage = 99.9
	}
	return p
}

// ended names the end of a run.
func ended(result Status) string {
	names := map[Status]string{
		Completed: "Completed", Failed: "Failed", Cancelled: "Cancelled",
		RolledBack: "Rolled back", RollbackFailed: "Rollback failed",
	}
	return names[result]
}

// deployProgress is that of a deploy: preparing, deploying, verifying.
func deployProgress(d *Deployment, r *Run) (step int, stage string, percentage float64) {
	count := float64(max(len(d.Components), 1))
	switch {
	case r.LockedAt.IsZero():
		return 1, "Waiting to start", 0
	case r.PreparedAt.IsZero():
		taken := 0.0
		for i := range d.Components {
			if d.Components[i].Before != nil {
				taken++
			}
		}
		return 1, "Taking snapshots", preparedPercent * taken / count
	case r.DeployedAt.IsZero():
		done := 0.0
		stage = "Deploying"
		for i := range d.Components {
			s := r.Step(d.Components[i].Name)
			if s == nil {
				continue
			}
			fraction, doing := s.fraction()
			done += fraction
			if doing != "" && fraction < 1 {
				stage = d.Components[i].Name + ": " + doing
			}
		}
		return 2, stage, preparedPercent + (deployedPercent-preparedPercent)*done/count
	default:
		observed := 1.0
		if bake := d.Definition.Policy.Bake; bake > 0 {
			observed = math.Min(1, float64(r.Baked)/float64(bake))
			stage = fmt.Sprintf("Watching the checks, %s of %s", r.Baked.Round(time.Second), bake)
		} else {
			stage = "Watching the checks"
		}
		return 3, stage, deployedPercent + (verifiedPercent-deployedPercent)*observed
	}
}

// rollbackProgress is that of a rollback: restoring, verifying.
func rollbackProgress(r *Run) (step int, stage string, percentage float64) {
	if r.LockedAt.IsZero() {
		return 1, "Waiting to start", 0
	}
	if len(r.Steps) == 0 { // what goes back is fixed once all has come to rest
		return 1, "Stopping what still runs", 0
	}
	done, count, settled := 0.0, 0.0, true
	stage = "Restoring"
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Action == ActionNone {
			continue
		}
		count++
		fraction, doing := s.fraction()
		done += fraction
		if s.SettledAt.IsZero() {
			settled = false
		}
		if doing != "" && fraction < 1 {
			stage = s.Component + ": " + doing
		}
	}
	if count == 0 {
		return 2, "Verifying", verifiedPercent
	}
	if settled {
		return 2, stage, verifiedPercent * done / count
	}
	return 1, stage, verifiedPercent * done / count
}

// fraction says how far a step is, and what it does.
func (s *Step) fraction() (done float64, doing string) {
	op := s.Operation()
	switch {
	case s.Action == ActionNone, !s.PassedAt.IsZero():
		return 1, ""
	case !s.SettledAt.IsZero():
		return 0.85, "waiting for its checks"
	case op == nil:
		return 0, ""
	case op.Staged && op.Candidate != nil && op.Percent > 0:
		return 0.5 + 0.35*float64(op.Percent)/100, fmt.Sprintf("%d %% of the traffic moved", op.Percent)
	case op.Staged && op.Candidate != nil && !op.CandidateOK.IsZero():
		return 0.5, "candidate passed its checks"
	case op.Staged && op.Candidate != nil:
		return 0.4, "waiting for the candidate's checks"
	case op.AcceptedAt.IsZero():
		return 0.05, "asking the platform"
	case op.Message != "":
		return 0.1 + 0.3*clamp(op.Fraction), op.Message
	default:
		return 0.1 + 0.3*clamp(op.Fraction), "waiting for the platform"
	}
}

// clamp keeps a fraction that a plugin reported within 0 and 1.
func clamp(fraction float64) float64 {
	if math.IsNaN(fraction) || fraction < 0 {
		return 0
	}
	return math.Min(fraction, 1)
}
