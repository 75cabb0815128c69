package engine

import (
	"errors"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// refuse records that the platform changed nothing.
func (f *flight) refuse(err error) error {
	return f.o.commit(f.d, func(c *change) {
		op := f.step().Operation()
		op.Outcome = &deployment.Outcome{Result: deployment.ResultRefused, Message: err.Error()}
		op.EndedAt = c.now
		f.step().Undone = true
		c.event(deployment.EventOperationFinished, deployment.OperationPayload{
			Component: f.component, Operation: op.ID, Kind: op.Kind, Staged: op.Staged,
			Result: op.Outcome.Result, Message: op.Outcome.Message,
		})
	})
}

// finish records the outcome of the operation within a change.
func (f *flight) finish(c *change, outcome sdk.Outcome) {
	s := f.step()
	op := s.Operation()
	if op.Outcome != nil {
		return
	}
	recorded, evidence := fromOutcome(outcome, f.component)
	if evidence != nil {
		recorded.Failure.Evidence = f.o.addEvidence(f.d, c, *evidence)
	}
	op.Outcome, op.EndedAt = &recorded, c.now
	component := f.d.Component(f.component)
	payload := deployment.OperationPayload{
		Component: f.component, Operation: op.ID, Kind: op.Kind, Staged: op.Staged,
		Result: recorded.Result, Message: recorded.Message,
	}
	if recorded.Failure != nil {
		payload.Code = recorded.Failure.Code
	}
	switch recorded.Result {
	case deployment.ResultSucceeded:
		s.SettledAt, s.Undone = c.now, false
		component.Addresses, component.Revision = recorded.Addresses, recorded.Revision
	case deployment.ResultCancelled:
		s.Undone = op.Staged && op.Percent < 100
	default:
		s.Undone = false
	}
	c.event(deployment.EventOperationFinished, payload)
}

// result says what the recorded outcome means for the run; nil is success.
func (f *flight) result() error {
	op, _ := f.op()
	out := op.Outcome
	if out == nil {
		return errors.New("operation has no outcome")
	}
	switch out.Result {
	case deployment.ResultSucceeded:
		return nil
	case deployment.ResultSuperseded:
		return &failure{Failure: deployment.Failure{
			Code: deployment.CodeSuperseded, Component: f.component, Keep: true,
			Message: "superseded by " + orUnknown(out.SupersededBy) + ": " + out.Message,
		}}
	case deployment.ResultCancelled:
		return &failure{Failure: deployment.Failure{
			Code: deployment.CodeCancelled, Component: f.component,
			Message: "the operation was cancelled on the platform: " + out.Message,
		}}
	default:
		if out.Failure != nil {
			return &failure{Failure: *out.Failure}
		}
		return &failure{Failure: deployment.Failure{
			Code: sdk.CodeOther, Component: f.component, Message: out.Message,
		}}
	}
}

// orUnknown names somebody who may not be known.
func orUnknown(who string) string {
	if who == "" {
		return "somebody unknown"
	}
	return who
}

// ended says whether the operation has its outcome.
func (f *flight) ended() bool {
	op, there := f.op()
	return there && op.Outcome != nil
}

// hasOutcome is ended for those who hold the owner's lock.
func (f *flight) hasOutcome() bool {
	op := f.step().Operation()
	return op != nil && op.Outcome != nil
}
