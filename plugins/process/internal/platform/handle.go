package platform

import (
	"encoding/json"

	"github.com/apm-deploy/apm/sdk"
)

// handleVersion is what newHandle makes. Version 1 was the bare operation id.
const handleVersion = 2

type handle struct {
	Operation string `json:"operation"`
}

func newHandle(operation string) (sdk.Handle, error) {
	data, err := json.Marshal(handle{Operation: operation})
	if err != nil {
		return sdk.Handle{}, internal("make handle", err)
	}
	return sdk.Handle{Version: handleVersion, State: data}, nil
}

// operationOf reads a handle; the zero handle has no operation.
func operationOf(h sdk.Handle) (string, error) {
	switch {
	case h.IsZero():
		return "", nil
	case h.Version == handleVersion-1:
		return string(h.State), nil
	case h.Version > handleVersion:
		return "", sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "the handle is of version %d, from a newer plugin; use that one", h.Version)
	}
	var read handle
	if err := json.Unmarshal(h.State, &read); err != nil {
		return "", &sdk.Error{Code: sdk.InvalidArgument, Message: "the handle cannot be read", Err: err}
	}
	return read.Operation, nil
}
