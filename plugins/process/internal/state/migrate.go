package state

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrNewer is matched by the error for a state that a newer plugin wrote.
var ErrNewer = errors.New("written by a newer plugin")

// previous is version 1: it knew only the newest operation, and kept the place
// of the shim flat.
type previous struct {
	Operation *Operation `json:"operation"`
	PID       int        `json:"pid"`
	Start     string     `json:"start"`
	Socket    string     `json:"socket"`
}

func decode(data []byte) (*State, error) {
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	switch s.Version {
	case Version:
		return &s, nil
	case Version - 1:
		var old previous
		if err := json.Unmarshal(data, &old); err != nil {
			return nil, err
		}
		s.Shim = Shim{PID: old.PID, Start: old.Start, Socket: old.Socket}
		if old.Operation != nil {
			s.Operations = []Operation{*old.Operation}
			if old.Operation.Outcome == nil {
				s.Active = old.Operation.ID
			}
		}
		s.Version = Version
		return &s, nil
	default:
		if s.Version > Version {
			return nil, fmt.Errorf("version %d: %w, this one reads %d and %d", s.Version, ErrNewer, Version-1, Version)
		}
		return nil, fmt.Errorf("version %d is too old, this plugin reads %d and %d", s.Version, Version-1, Version)
	}
}
