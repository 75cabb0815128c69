package fake

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Variant is another binary of the fake: a later version, one that cannot start,
// one that can do less. The zero value is the fake as it is.
type Variant struct {
	Name     string   `json:"name,omitempty"`     // default "fake"
	Version  string   `json:"version,omitempty"`  // default "0.1.0"
	Protocol uint     `json:"protocol,omitempty"` // that it says it speaks; default 1
	Without  []string `json:"without,omitempty"`  // capabilities that it lacks: staged, percent, cancel, plan, watch_target, logs, inventory
	// Schema is "contradicts" for one that contradicts itself.
	Schema string `json:"schema,omitempty"`
	// Root is that of the platform block, where faults that strike before it
	// comes are counted.
	Root string `json:"root,omitempty"`
	// Faults are in force from the start of the process on, by label.
	Faults map[string]Fault `json:"-"`
	// Blocks are Faults as [Inject] takes them.
	Blocks map[string]map[string]any `json:"faults,omitempty"`
}

// envRoot names the directory whose remembered faults strike before the platform
// block comes.
const envRoot = "APM_FAKE_ROOT"

// trailer ends a binary that is a variant: the JSON of it, its length, this.
const trailer = "\x00apm-fake-variant\x00"

// Vary writes a variant of the fake's binary: a binary of its own, with a
// checksum of its own.
func Vary(from, to string, v Variant) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("vary %q: %w", from, err)
	}
	if err := v.read(); err != nil {
		return fmt.Errorf("vary %q: %w", from, err)
	}
	program, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("vary: %w", err)
	}
	if bytes.HasSuffix(program, []byte(trailer)) {
		return fmt.Errorf("vary %q: it is a variant already", from)
	}
	program = append(program, text...)
	program = binary.BigEndian.AppendUint32(program, uint32(len(text))) //nolint:gosec // a short text
	program = append(program, trailer...)
	// Renamed, so that one that runs is not written into.
	if err := os.WriteFile(to+".new", program, 0o755); err != nil { //nolint:gosec // a program
		return fmt.Errorf("vary %q: %w", from, err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		return fmt.Errorf("vary %q: %w", from, err)
	}
	return nil
}

// own reads what this process is a variant of.
func own() (Variant, error) {
	path, err := os.Executable()
	if err != nil {
		return Variant{}, err
	}
	file, err := os.Open(path)
	if err != nil {
		return Variant{}, err
	}
	defer file.Close()
	return readVariant(file)
}

func readVariant(file *os.File) (v Variant, err error) {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return v, err
	}
	tail := make([]byte, 4+len(trailer))
	if _, err := file.ReadAt(tail, max(0, end-int64(len(tail)))); err != nil || !bytes.HasSuffix(tail, []byte(trailer)) {
		return v, err
	}
	text := make([]byte, binary.BigEndian.Uint32(tail))
	if _, err := file.ReadAt(text, max(0, end-int64(len(tail)+len(text)))); err != nil {
		return v, err
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return v, err
	}
	return v, v.read()
}

// read makes Faults of Blocks.
func (v *Variant) read() error {
	if v.Schema != "" && v.Schema != contradicts {
		return fmt.Errorf("there is no schema %q: leave it out, or say %q", v.Schema, contradicts)
	}
	for _, name := range v.Without {
		if !slices.Contains(capabilityNames, name) {
			return fmt.Errorf("there is no capability %q: use of %q", name, capabilityNames)
		}
	}
	if len(v.Blocks) == 0 {
		return nil
	}
	v.Faults = map[string]Fault{}
	for label, block := range v.Blocks {
		text, err := json.Marshal(block)
		if err != nil {
			return err
		}
		one, ds := decodeFault(label, text)
		if ds.HasErrors() {
			return fmt.Errorf("fault: %s", ds[0])
		}
		v.Faults[label] = one
	}
	return nil
}

var capabilityNames = []string{"staged", "percent", "cancel", "plan", "watch_target", "logs", "inventory"}

func (v Variant) capabilities() sdk.Capabilities {
	has := func(name string) bool { return !slices.Contains(v.Without, name) }
	c := sdk.Capabilities{
		Plan: has("plan"), Cancel: has("cancel"), WatchTarget: has("watch_target"), Logs: has("logs"), Inventory: has("inventory"),
	}
	c.Staged = c.Cancel && has("staged")
	c.Percent = c.Staged && has("percent")
	return c
}

// startRoot is where faults that strike at the start are found and counted.
func (v Variant) startRoot() string {
	if v.Root != "" {
		return v.Root
	}
	return os.Getenv(envRoot)
}

// contradicts is the schema that contradicts itself.
const contradicts = "contradicts"

// Plugin is the variant within this process.
func (v Variant) Plugin() (sdk.Plugin, error) {
	err := v.read()
	return v.plugin(), err
}

func (v Variant) plugin() sdk.Plugin {
	p := sdk.Plugin{Name: "fake", Version: "0.1.0", Config: configSchema, Spec: specSchema}
	if v.Name != "" {
		p.Name = v.Name
	}
	if v.Version != "" {
		p.Version = v.Version
	}
	p.New = func(log *slog.Logger) sdk.Platform { return newFaulty(v, log) }
	return p
}

var (
	configSchema = schema.MustOf(Config{})
	specSchema   = schema.MustOf(Spec{})
)
