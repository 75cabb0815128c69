package serve_test

import (
	"context"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/plugintest"
)

// closer is a platform with something to end; mode says how it does.
type closer struct {
	sdk.Platform
	log  *slog.Logger
	mode string
}

func newCloser(log *slog.Logger) sdk.Platform { return &closer{log: log} }

func (c *closer) Configure(_ context.Context, r sdk.ConfigureRequest) (diag.Diagnostics, error) {
	c.mode = r.Platform
	return nil, nil
}

func (c *closer) Close(ctx context.Context) error {
	c.log.Info("closed as asked")
	switch c.mode {
	case "hangs":
		select {} // whatever ctx says
	case "panics":
		panic("canary in Close")
	case "waits":
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// A platform can end in good order however its process ends, and is not waited for
// without end: CloseTimeout, and what a dozen processes at once take beside it.
func TestClose(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *plugintest.Process) error{
		"shutdown": func(t *testing.T, p *plugintest.Process) error { _ = p.Shutdown(t.Context()); return nil },
		"lifeline": func(_ *testing.T, p *plugintest.Process) error { return p.CloseLifeline() },
		"SIGTERM":  func(_ *testing.T, p *plugintest.Process) error { return p.Signal(syscall.SIGTERM) },
	} {
		for _, mode := range []string{"returns", "hangs", "panics", "waits"} {
			t.Run(name+" "+mode, func(t *testing.T) {
				t.Parallel()
				p := self(t, "closer")
				if _, err := p.Client().Configure(t.Context(), sdk.ConfigureRequest{Platform: mode}); err != nil {
					t.Fatal(err)
				}
				if err := end(t, p); err != nil {
					t.Fatal(err)
				}
				if code, ended := p.Exited(20 * time.Second); !ended || code < 0 || (code == 0) != (name == "shutdown") {
					t.Errorf("ended %v with code %d", ended, code)
				}
				// The lines come through a pipe, a little later than the end.
				eventually(t, func() bool {
					complains := strings.Contains(p.Logs(), "did not end in good order")
					return strings.Count(p.Logs(), "closed as asked") == 1 && complains == (mode != "returns")
				}, func() string { return "the log says\n" + p.Logs() })
			})
		}
	}
}
