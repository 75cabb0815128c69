package fake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// Plugin is the fake as a plugin.
func Plugin() sdk.Plugin { return Variant{}.plugin() }

// platform is the one that keeps every rule, unless it is told which to break.
type platform struct {
	log          *slog.Logger
	breaks       func(rule string) bool
	config       Config
	installation string
	gone         <-chan struct{} // closed when the process is about to end
	background   sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{}   // closed and replaced on every change
	driven  map[string]bool // operations that a goroutine drives
	// What rules that are broken remember.
	seen    map[string]bool
	watched map[string]int
}

// beside runs something beside the calls, unless the process is about to end. The
// caller holds p.mu.
func (p *platform) beside(run func()) {
	select {
	case <-p.gone:
	default:
		p.background.Go(run)
	}
}

// content is what a release and a snapshot hold.
type content struct {
	Text   string
	Secret string
	Lines  int           `json:",omitempty"`
	Takes  time.Duration `json:",omitempty"`
	Fails  string        `json:",omitempty"`
}

func digest(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		sum.Write([]byte(part))
		sum.Write([]byte{0})
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

func observed(c content) string { return digest("runs", c.Text, c.Secret) }

func (p *platform) Validate(_ context.Context, config, spec []byte) (diag.Diagnostics, error) {
	var ds diag.Diagnostics
	if config != nil {
		var c Config
		if ds = append(ds, schema.Decode(config, &c)...); !ds.HasErrors() {
			ds = append(ds, checkFaults(c.Faults)...)
		}
	}
	if spec != nil {
		var s Spec
		ds = append(ds, schema.Decode(spec, &s)...)
		if s.Lines < 0 {
			ds.Errorf([]string{"lines"}, "lines is %d: give 0 or more", s.Lines)
		}
		if s.Takes < 0 {
			ds.Errorf([]string{"takes"}, "takes is %s: give 0s or more", s.Takes)
		}
	}
	return ds, nil
}

func (p *platform) Configure(_ context.Context, r sdk.ConfigureRequest) (diag.Diagnostics, error) {
	ds := schema.Decode(r.Config, &p.config)
	p.installation = r.InstallationID
	p.log.Info("configured", "root", p.config.Root)
	if p.breaks("leak") {
		p.log.Info("configured", "secret", p.config.Secret)
	}
	return ds, nil
}

// Health is that of a platform that is always there.
func (p *platform) Health(ctx context.Context, report func(sdk.Health) error) error {
	h := sdk.Health{State: sdk.HealthHealthy, Description: "files below " + p.config.Root}
	if p.breaks("unwell") {
		h = sdk.Health{State: sdk.HealthUnhealthy, Description: "it does not feel like it"}
	}
	if err := report(h); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}
