package platform

import "github.com/apm-deploy/apm/sdk"

// handleVersion is the encoding of handles. A handle is the operation's id: all else
// is stamped on the component.
const handleVersion = 1

func handleOf(operation string) sdk.Handle {
	return sdk.Handle{Version: handleVersion, State: []byte(operation)}
}

// operationOf reads a handle; an absent one is of no operation.
func operationOf(h sdk.Handle) (string, error) {
	if h.Version > handleVersion {
		return "", sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "the handle has version %d, from a newer plugin: use that one", h.Version)
	}
	return string(h.State), nil
}
