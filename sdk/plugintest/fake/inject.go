package fake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// everyFault is the label that stands for all of the platform block's.
const everyFault = "*"

const injectedFile = "injected.json"

func readInjected(root string) (map[string]json.RawMessage, error) {
	text, err := os.ReadFile(faultFile(root, injectedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var given map[string]json.RawMessage
	return given, json.Unmarshal(text, &given)
}

// Inject adds a fault to the platforms of a root from now on, also to those whose
// process runs: block is what a block fault of that label would hold, by the names
// of its attributes. It takes the place of the fault of that label, and begins to
// count anew. A fault of the kind break cannot be injected.
func Inject(root, label string, block map[string]any) error {
	text, err := json.Marshal(block)
	if err != nil {
		return fmt.Errorf("inject fault %q: %w", label, err)
	}
	fault, ds := decodeFault(label, text)
	if ds.HasErrors() {
		return fmt.Errorf("inject fault %q: %s", label, ds[0])
	}
	if fault.Label = label; fault.kind() == kindBreak {
		return fmt.Errorf("inject fault %q: a rule is broken from the start of the process on: write it into the platform block, or into a variant", label)
	}
	if err := forgetCount(root, label); err != nil {
		return fmt.Errorf("inject fault %q: %w", label, err)
	}
	return change(root, func(given map[string]json.RawMessage) { given[label] = text })
}

// Relent takes the faults of those labels back, injected or of the platform
// block; without labels all of them. What hangs already goes on to hang.
func Relent(root string, labels ...string) error {
	return change(root, func(given map[string]json.RawMessage) {
		for _, label := range labels {
			given[label] = json.RawMessage("null")
		}
		if len(labels) == 0 {
			clear(given)
			given[everyFault] = json.RawMessage("null")
		}
	})
}

func change(root string, apply func(map[string]json.RawMessage)) error {
	given, err := readInjected(root)
	if err != nil {
		return fmt.Errorf("read injected faults: %w", err)
	}
	if given == nil {
		given = map[string]json.RawMessage{}
	}
	apply(given)
	return write(faultFile(root, injectedFile), given)
}
