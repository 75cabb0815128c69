package fake

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/apm-deploy/apm/sdk/schema"
	"github.com/apm-deploy/apm/sdk/serve"
	"github.com/apm-deploy/apm/sdk/wire"
)

const rememberedFile = "block.json"

// remember keeps the faults of the platform block for the starts to come.
func remember(root string, config []byte) error {
	var block struct {
		Faults json.RawMessage `json:"fault,omitempty"`
	}
	if err := json.Unmarshal(config, &block); err != nil {
		return err
	}
	return write(faultFile(root, rememberedFile), block)
}

// recall has the faults of the platform block of the start before in force until
// the block comes.
func (f *faults) recall() error {
	if f.root == "" {
		return nil
	}
	var text json.RawMessage
	if found, err := read(faultFile(f.root, rememberedFile), &text); err != nil || !found {
		return err
	}
	var block struct {
		Faults map[string]Fault `apm:"fault,block"`
	}
	if ds := schema.Decode(text, &block); ds.HasErrors() {
		return fmt.Errorf("read remembered faults: %s", ds[0])
	}
	f.configure(f.root, block.Faults)
	return nil
}

// Main is the main function of the fake's binary, and returns its exit code. Faults
// of the start strike before it serves. With arguments it does something by hand.
func Main() int {
	done, err := byHand(os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if done {
		return 0
	}
	process = true
	v, err := own()
	if err != nil {
		fmt.Fprintf(os.Stderr, "read own binary: %v\n", err)
		return 1
	}
	if os.Getenv(wire.Handshake.MagicCookieKey) == wire.Handshake.MagicCookieValue {
		if err := begin(v, os.Stdout, os.Stderr); err != nil {
			fmt.Fprintf(os.Stderr, "start: %v\n", err)
			return 1
		}
	}
	return serve.Main(v.plugin())
}

// begin has the faults of the start strike.
func begin(v Variant, stdout, stderr io.Writer) error {
	f := &faults{
		log:  slog.New(slog.NewTextHandler(stderr, nil)),
		gone: make(chan struct{}), root: v.startRoot(), binary: v.Faults, fixed: v.Faults,
	}
	if err := f.recall(); err != nil {
		return err
	}
	if v.Protocol != 0 {
		wire.Handshake.ProtocolVersion = v.Protocol
	}
	m := moment{call: callStart}
	for one := range f.strikes(m, kindNoise) {
		message := one.Message
		if message == "" {
			message = "words before the handshake"
		}
		fmt.Fprintln(stdout, message)
	}
	return f.befall(context.Background(), m)
}
