package plugintest

import (
	"slices"

	"github.com/apm-deploy/apm/sdk"
)

// failureCodes are shared by all platforms.
var failureCodes = []string{
	sdk.CodeImageNotFound, sdk.CodeImagePullDenied, sdk.CodeRegistryUnreachable, sdk.CodeCrashLoop, sdk.CodeExited, sdk.CodeOOMKilled,
	sdk.CodeUnschedulable, sdk.CodeConfigMissing, sdk.CodeProbeFailing, sdk.CodeQuotaExceeded, sdk.CodePermissionDenied,
	sdk.CodeProgressDeadline, sdk.CodePortInUse, sdk.CodeDependencyDown, sdk.CodePlatformDown, sdk.CodeOther,
}

// failingDeploy: what cannot come up is told with its cause, and the way back is
// open.
func failingDeploy(b *bench) {
	b.deploy(b.v1())
	content, before := b.serving(), b.snapshot()
	target := b.at("failing", b.config.SpecFailing)
	r := b.startDeploy(target, b.resolve(target), b.operation(sdk.OperationDeploy))
	promoted := false
	b.follow(r, func(event sdk.Event) error {
		promoted = promoted || event.Candidate != nil || event.State != nil && event.State.Candidate != nil
		return b.promoteWhenUp(r, event, 100)
	})
	if r.outcome.Result != sdk.ResultFailed {
		b.Fatalf("Deploy of SpecFailing: want the outcome FAILED, got %s: %s", result(r.outcome.Result), r.outcome.Message)
	}
	b.explained(r.outcome.Failure)
	if r.operation.Staged && !promoted {
		b.equal("content after a candidate that never came up", content, b.serving())
		b.equal("observed digest after a candidate that never came up", before.ObservedDigest, b.observed())
	}
	first := r.outcome
	b.follow(r, ignore)
	if r.outcome.Result != first.Result {
		b.Errorf("Watch again after FAILED: want FAILED, got %s", result(r.outcome.Result))
	}
	recovery, err := b.client.Recover(b.ctx(), r.recoverRequest())
	if err != nil || recovery.Status != sdk.RecoverFinished || recovery.Outcome == nil || recovery.Outcome.Result != sdk.ResultFailed {
		b.Errorf("Recover of an operation that failed: want FINISHED with the outcome FAILED, got %s, outcome %+v, error %v",
			recoverStatus(recovery.Status), recovery.Outcome, err)
	}
	b.rollback(before.Snapshot)
	b.equal("content after the way back", content, b.serving())
	b.equal("observed digest after the way back", before.ObservedDigest, b.observed())
}

// explained wants what a person needs to see.
func (b *bench) explained(failure *sdk.Failure) {
	b.Helper()
	switch {
	case failure == nil:
		b.Error("the outcome FAILED has no Failure: say why")
		return
	case !slices.Contains(failureCodes, failure.Code):
		b.Errorf("Failure.code %q is none of the shared list, whose last is OTHER: %q", failure.Code, failureCodes)
	}
	if failure.Message == "" {
		b.Error("Failure.message is empty: say in a sentence what failed")
	}
	if len(failure.Logs) == 0 && len(failure.Events) == 0 {
		b.Error("the Failure has neither logs nor events: show the last lines of what failed, or what the platform says about it")
	}
	if len(failure.Logs) > sdk.MaxFailureLogs {
		b.Errorf("Failure.logs has %d lines, at most %d belong there", len(failure.Logs), sdk.MaxFailureLogs)
	}
}

// result is the name of a result in the contract.
func result(r sdk.Result) string {
	switch r {
	case sdk.ResultSucceeded:
		return "SUCCEEDED"
	case sdk.ResultFailed:
		return "FAILED"
	case sdk.ResultCancelled:
		return "CANCELLED"
	case sdk.ResultSuperseded:
		return "SUPERSEDED"
	default:
		return "no result"
	}
}
