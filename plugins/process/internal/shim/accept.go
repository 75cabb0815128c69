package shim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/artifact"
	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// errMoved says that what runs changed between the look at it and the lock.
var errMoved = sdk.Errorf(sdk.Aborted, sdk.ReasonConflict, "what runs changes all the time; try again")

// startTries is how often a request is looked at anew because of that.
const startTries = 5

// start accepts a deploy or a rollback: once it returns nil the operation is in
// the state file and goes on, whatever happens to us.
func (c *component) start(request control.Request) error {
	var err error
	for range startTries {
		if err = c.accept(request); !errors.Is(err, errMoved) {
			break
		}
	}
	return err
}

func (c *component) accept(request control.Request) error {
	live := c.look()
	var goalFiles string
	var goalProblem error
	if r := request.Goal.Release; r != nil {
		goalFiles, _, goalProblem = c.observe(state.Deployed{Release: *r})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return control.ErrClosing
	}
	op := *request.Operation
	known, err := c.admit(op)
	switch {
	case err != nil:
		return err
	case known != nil:
		return c.raise(op.Epoch)
	}
	if c.generation() != live.generation {
		return errMoved
	}
	if problem := errors.Join(live.problem, goalProblem); problem != nil {
		return sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "could not look at the files of the component: %w", problem)
	}
	if request.Expected != "" && request.Expected != live.observed {
		return c.stateChanged(request.Expected, live)
	}
	if err := checkFiles(request.Goal, goalFiles); err != nil {
		return err
	}
	if active := c.st.Operation(c.st.Active); active != nil {
		if op.Epoch <= active.Epoch && !request.Goal.Rollback {
			return sdk.Errorf(sdk.Aborted, sdk.ReasonConflict, "operation %q of deployment %q is under way; cancel it or wait for its end", active.ID, active.DeploymentID)
		}
		active.SupersededBy = op.ID
	}
	return c.enter(op, request, live.observed)
}

// enter stores the operation and sets its driver going.
func (c *component) enter(op control.Operation, request control.Request, observed string) error {
	before := *c.st
	before.Operations = append([]state.Operation(nil), c.st.Operations...)
	c.identity.Store(&request.Identity)
	c.st.Identity = request.Identity
	c.st.Epoch = op.Epoch
	if request.Settings != nil {
		c.st.Settings = *request.Settings
	}
	c.st.Retain = request.Retain
	next := state.Operation{
		ID: op.ID, DeploymentID: op.DeploymentID, Kind: op.Kind, Digest: op.Digest, Epoch: op.Epoch,
		Staged: op.Staged, Version: request.Version, Phase: state.PhaseStarting, Started: time.Now(), Before: observed,
	}
	if r := request.Goal.Release; r != nil {
		c.st.Generation++
		next.Version = request.Goal.Version
		next.Goal = &state.Deployed{
			Generation: c.st.Generation, Version: request.Goal.Version, OperationID: op.ID, DeploymentID: op.DeploymentID,
			Digest: r.Digest(), Epoch: op.Epoch, Since: time.Now(), Release: *r,
		}
	} else {
		next.Removes = true
	}
	c.st.AddOperation(next)
	c.st.Active = op.ID
	if err := c.save(); err != nil {
		if active := before.Operation(before.Active); active != nil {
			active.SupersededBy = ""
		}
		*c.st = before
		return sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "accept operation: %w", err)
	}
	if r := request.Goal.Release; r != nil && r.Artifact != "" {
		c.store.Release(r.Artifact, Claim(c.dir)) // the state file holds it from now on
	}
	c.beganOp = op.ID
	c.began.seq, c.began.logs = c.hub.position()
	c.drive(op.ID)
	return nil
}

// admit refuses a call of an earlier owner of the target, and an id that was used
// for something else. It returns the operation, nil where it is new.
func (c *component) admit(op control.Operation) (*state.Operation, error) {
	stamped := sdk.Stamp{Epoch: c.st.Epoch}
	known := c.st.Operation(op.ID)
	if known != nil {
		stamped.ID, stamped.RequestDigest = known.ID, known.Digest
	}
	_, err := sdk.Admit(stamped, sdk.Operation{ID: op.ID, RequestDigest: op.Digest, Epoch: op.Epoch})
	return known, err
}

func (c *component) raise(epoch uint64) error {
	if epoch <= c.st.Epoch {
		return nil
	}
	previous := c.st.Epoch
	c.st.Epoch = epoch
	if err := c.save(); err != nil {
		c.st.Epoch = previous
		return sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "raise epoch: %w", err)
	}
	return nil
}

// checkFiles makes sure that what is about to run is what was frozen.
func checkFiles(goal *control.Goal, files string) error {
	if goal.Release == nil || files == goal.Files && files != artifact.Missing {
		return nil
	}
	what := "the executable " + goal.Release.Executable
	if goal.Release.Artifact != "" {
		what = "artifact sha256:" + goal.Release.Artifact
	}
	happened := "was changed"
	if files == artifact.Missing {
		happened = "is gone"
	}
	if goal.Rollback {
		return sdk.SnapshotStale("%s of version %q %s since the snapshot was taken; deploy that version again instead", what, goal.Version, happened)
	}
	return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonInvalidSpec, "%s %s since version %q was accepted; start the deployment again (with spec.artifact the files are kept)", what, happened, goal.Version)
}

// live is what runs at a moment.
type live struct {
	generation int    // 0: nothing
	observed   string // "" where it could not be looked at
	files      string
	changed    []string
	problem    error // why not
}

// look observes what serves now, files included. It must not hold c.mu: reading
// a large artifact for the first time takes a while.
func (c *component) look() live {
	c.mu.Lock()
	serving := c.st.Serving
	c.mu.Unlock()
	if serving == nil {
		return live{observed: release.EmptyDigest}
	}
	files, changed, err := c.observe(*serving)
	if err != nil {
		return live{generation: serving.Generation, problem: err}
	}
	return live{generation: serving.Generation, observed: serving.Release.ObservedDigest(files), files: files, changed: changed}
}

func (c *component) generation() int {
	if c.st.Serving == nil {
		return 0
	}
	return c.st.Serving.Generation
}

func (c *component) stateChanged(expected string, now live) error {
	by, what := "unknown", "nothing runs any more"
	if s := c.st.Serving; s != nil {
		by = fmt.Sprintf("operation %s of deployment %s", s.OperationID, s.DeploymentID)
		what = fmt.Sprintf("version %q runs, since %s, by %s", s.Version, s.Since.UTC().Format(time.RFC3339), by)
		if len(now.changed) > 0 {
			by = "unknown"
			what = "files of the release were changed: " + strings.Join(now.changed[:min(5, len(now.changed))], ", ")
		}
	} else if n := len(c.st.Operations); n > 0 {
		by = fmt.Sprintf("operation %s of deployment %s", c.st.Operations[n-1].ID, c.st.Operations[n-1].DeploymentID)
	}
	name := c.identity.Load().Component
	return sdk.StateChanged(name, by, "component %q changed since it was looked at: %s (expected %s, found %s)", name, what, expected, now.observed)
}
