package deployment

// Status of a deployment, of a component, and the name of a stage.
type Status string

// The states. Skipped, Unchanged and Removed are of components only.
const (
	Pending        Status = "pending"
	Preparing      Status = "preparing"
	Deploying      Status = "deploying"
	Verifying      Status = "verifying"
	Completed      Status = "completed"
	Failed         Status = "failed"
	Cancelled      Status = "cancelled"
	RollingBack    Status = "rolling_back"
	RolledBack     Status = "rolled_back"
	RollbackFailed Status = "rollback_failed"
	Skipped        Status = "skipped"
	Unchanged      Status = "unchanged"
	Removed        Status = "removed"
)

// Statuses are those of a deployment, in the order in which they come.
func Statuses() []Status {
	return []Status{
		Pending, Preparing, Deploying, Verifying, Completed, Failed, Cancelled,
		RollingBack, RolledBack, RollbackFailed,
	}
}

// Terminal says whether a deployment in this state does nothing any more.
func (s Status) Terminal() bool {
	switch s {
	case Completed, Failed, Cancelled, RolledBack, RollbackFailed:
		return true
	default:
		return false
	}
}

// successors is the state machine of a deployment. A terminal state is left
// only by a new run, a rollback, which is pending until it has the lock. One that
// is refused or withdrawn before that leaves the state as it was.
var successors = map[Status][]Status{
	Pending:        {Preparing, Cancelled, Failed, RollingBack, Completed, RolledBack, RollbackFailed},
	Preparing:      {Deploying, Verifying, Completed, Failed, Cancelled},
	Deploying:      {Verifying, Completed, Failed, Cancelled, RollingBack},
	Verifying:      {Completed, Failed, Cancelled, RollingBack}, // cancelled: all was unchanged
	RollingBack:    {RolledBack, RollbackFailed},
	Completed:      {Pending},
	Failed:         {Pending},
	Cancelled:      {Pending},
	RolledBack:     {Pending},
	RollbackFailed: {Pending},
}

// CanBecome says whether a deployment may go from s to next in one step.
func (s Status) CanBecome(next Status) bool {
	for _, successor := range successors[s] {
		if successor == next {
			return true
		}
	}
	return false
}
