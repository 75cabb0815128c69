package engine

import (
	"maps"
	"slices"
	"sync"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// Misdeed is a rule of the contract that a plugin broke without harm: what it
// sent was not believed.
type Misdeed string

// The misdeeds that are counted.
const (
	MisdeedBackwards Misdeed = "progress_backwards" // the fraction of an operation fell, or is none
	MisdeedAfter     Misdeed = "after_outcome"      // events after the last word on an operation
	MisdeedBug       Misdeed = "plugin_bug"         // it answered that it broke down
)

// Misdeeds are all of them, in order.
func Misdeeds() []Misdeed {
	return []Misdeed{MisdeedBackwards, MisdeedAfter, MisdeedBug}
}

// misdeeds counts by platform.
type misdeeds struct {
	mu     sync.Mutex
	counts map[string]map[Misdeed]uint64
}

// add counts one.
func (m *misdeeds) add(platform string, what Misdeed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = map[string]map[Misdeed]uint64{}
	}
	if m.counts[platform] == nil {
		m.counts[platform] = map[Misdeed]uint64{}
	}
	m.counts[platform][what]++
}

// Misdeeds returns how often the platform's plugin broke a rule of the contract
// since this host started.
func (e *Engine) Misdeeds(platform string) map[Misdeed]uint64 {
	e.misdeeds.mu.Lock()
	defer e.misdeeds.mu.Unlock()
	counts := map[Misdeed]uint64{}
	for _, one := range Misdeeds() {
		counts[one] = 0
	}
	maps.Copy(counts, e.misdeeds.counts[platform])
	return counts
}

// counted counts a failure that the plugin calls a mistake of its own.
func (e *Engine) counted(platform string, f *failure) *failure {
	if f.Code == deployment.CodePluginBug {
		e.misdeeds.add(platform, MisdeedBug)
	}
	return f
}

// misdeed counts what the plugin did wrong, and logs it once for the flight: a
// plugin that does it without end fills no log. Called under the owner's lock.
func (f *flight) misdeed(what Misdeed, operation string) {
	f.o.engine.misdeeds.add(f.platform, what)
	if slices.Contains(f.caught, what) {
		return
	}
	f.caught = append(f.caught, what)
	f.o.log.Warn("plugin breaks the contract; it is not believed", "reason", string(sdk.ReasonPluginBug), "rule", string(what),
		"platform", f.platform, "deployment", f.d.ID, "component", f.component, "operation", operation)
}
