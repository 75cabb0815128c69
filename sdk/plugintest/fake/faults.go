package fake

import (
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// faults are those of one process: of its binary, of its platform block, and
// those that were injected while it runs, which lie in the root.
type faults struct {
	log  *slog.Logger
	gone chan struct{} // closed when the process is about to end: what hangs lets go

	binary map[string]Fault // of the variant

	mu    sync.Mutex
	root  string
	fixed map[string]Fault // of the variant and of the platform block
}

// moment is where the process is.
type moment struct {
	call   string
	after  bool // the call had its effect
	target sdk.Target
	kind   sdk.OperationKind
	sent   int // events that this Watch has sent; 0 before it began, and after its end
}

func (f *faults) configure(root string, own map[string]Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.root = root
	f.fixed = maps.Clone(f.binary)
	if f.fixed == nil {
		f.fixed = map[string]Fault{}
	}
	maps.Copy(f.fixed, own)
}

// all returns what is in force, sorted by label.
func (f *faults) all() (root string, list []Fault) {
	f.mu.Lock()
	root = f.root
	merged := maps.Clone(f.fixed)
	f.mu.Unlock()
	if merged == nil {
		merged = map[string]Fault{}
	}
	if root != "" {
		merged = f.injected(root, merged)
	}
	for _, label := range sortedKeys(merged) {
		one := merged[label]
		one.Label = label
		list = append(list, one)
	}
	return root, list
}

// injected adds what was injected, and leaves out what was taken back.
func (f *faults) injected(root string, fixed map[string]Fault) map[string]Fault {
	given, err := readInjected(root)
	if err != nil {
		f.log.Error("read injected faults", "error", err)
		return fixed
	}
	if _, none := given[everyFault]; none {
		fixed = map[string]Fault{}
	}
	for label, block := range given {
		if string(block) == "null" {
			delete(fixed, label)
			continue
		}
		one, ds := decodeFault(label, block)
		if ds.HasErrors() {
			f.log.Error("read injected fault", "label", label, "error", ds[0].String())
			continue
		}
		fixed[label] = one
	}
	return fixed
}

// counts says whether a fault strikes after so many events of a Watch.
func (f *faults) counts(m moment) bool {
	_, all := f.all()
	return slices.ContainsFunc(all, func(one Fault) bool { return one.AfterEvents > 0 && one.call() == m.call })
}

// none says that nothing is wrong.
func (f *faults) none() bool {
	_, all := f.all()
	return len(all) == 0
}

// decodeFault reads one fault as the platform block would have it.
func decodeFault(label string, block json.RawMessage) (Fault, diag.Diagnostics) {
	var holder struct {
		Faults map[string]Fault `apm:"fault,block"`
	}
	text, err := json.Marshal(map[string]any{"fault": map[string]json.RawMessage{label: block}})
	if err != nil {
		return Fault{}, diag.Diagnostics{{Severity: diag.Error, Summary: err.Error()}}
	}
	ds := schema.Decode(text, &holder)
	if !ds.HasErrors() {
		ds = append(ds, checkFaults(holder.Faults)...)
	}
	return holder.Faults[label], ds
}

// strikes yields the faults of some kinds that strike now, and counts each as it
// comes to it.
func (f *faults) strikes(m moment, kinds ...string) iter.Seq[Fault] {
	return func(yield func(Fault) bool) {
		root, all := f.all()
		for _, one := range all {
			if !slices.Contains(kinds, one.kind()) || !one.at(m) {
				continue
			}
			now, err := occurs(root, one)
			if err != nil {
				f.log.Error("count fault", "label", one.Label, "error", err)
			}
			if !now {
				continue
			}
			f.log.Warn("fault", "label", one.Label, "kind", one.kind(), "call", m.call)
			if !yield(one) {
				return
			}
		}
	}
}

// first returns the first fault of some kinds that strikes now.
func (f *faults) first(m moment, kinds ...string) (Fault, bool) {
	for one := range f.strikes(m, kinds...) {
		return one, true
	}
	return Fault{}, false
}

// at says whether m is an occasion of the fault.
func (f Fault) at(m moment) bool {
	if call := f.call(); call != "" && call != m.call {
		return false
	}
	if f.AfterEvents != m.sent || f.AfterEvents == 0 && (f.At == "after") != m.after {
		return false
	}
	return f.concerns(m.target, m.kind)
}

// concerns says whether a component and an operation are what the fault is about.
func (f Fault) concerns(t sdk.Target, kind sdk.OperationKind) bool {
	for _, one := range [][2]string{
		{f.Application, t.Application}, {f.Component, t.Component}, {f.Version, t.Version}, {f.Operation, kind.String()},
	} {
		if one[0] != "" && one[0] != one[1] {
			return false
		}
	}
	return true
}

// lasting says whether a fault that is always there is in force.
func (f *faults) lasting(kind, what string, t sdk.Target, operation sdk.OperationKind) bool {
	_, all := f.all()
	for _, one := range all {
		if one.kind() == kind && one.What == what && one.concerns(t, operation) {
			return true
		}
	}
	return false
}

// breaks says whether a rule of the contract is to be broken, by the binary or by
// the platform block: it is asked too often to look for what was injected.
func (f *faults) breaks(rule string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for label, one := range f.fixed {
		if one.Label = label; one.kind() == kindBreak && one.Rule == rule {
			return true
		}
	}
	return false
}

// failure is the answer of a fault of the kind error.
func (f Fault) failure() error {
	message := f.Message
	if message == "" {
		message = fmt.Sprintf("the fault %q strikes in %s", f.Label, f.call())
	}
	err := sdk.Errorf(sdk.Code(f.Code), sdk.Reason(f.Reason), "%s", message)
	err.RetryAfter = f.RetryAfter
	return err
}
