package platform

import (
	"errors"

	"example.com/apm-plugin-symlink/internal/component"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/journal"
)

// answer makes an error of the contract of one of the file system.
func answer(what string, err error) error {
	switch {
	case errors.Is(err, component.ErrGone):
		return sdk.SnapshotStale("%s: %w", what, err)
	case errors.Is(err, component.ErrNoLink):
		return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "%s: %w", what, err)
	default:
		return journal.Answer(what, err)
	}
}

// failure says why an operation could not do its work.
func failure(err error) sdk.Failure {
	if errors.Is(err, component.ErrGone) {
		return sdk.Failure{Code: sdk.CodeConfigMissing, Suggestion: "deploy that version again, and raise keep"}
	}
	return journal.FileFailure(err)
}
