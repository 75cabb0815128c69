package platform

import "sync"

// WhenPhaseChanges returns a function for SupervisorConfig.Changed that hands on
// only states whose phase or reason is not the last one of that platform.
func WhenPhaseChanges(tell func(State)) func(State) {
	type seen struct {
		phase  Phase
		reason string
	}
	var mu sync.Mutex
	last := map[string]seen{}
	return func(state State) {
		now := seen{state.Phase, state.Reason}
		mu.Lock()
		known := last[state.Platform] == now
		last[state.Platform] = now
		mu.Unlock()
		if !known {
			tell(state)
		}
	}
}
