package conformance_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// TestIdle: the host pings every 10 s, with or without calls. A server that takes
// that for abuse, as gRPC does unless it is told otherwise, ends the connection at the third ping.
func TestIdle(t *testing.T) {
	t.Parallel()
	p := start(t, binary(t), t.TempDir())
	reporter, reports := p.Platform.(sdk.HealthReporter)
	if !reports {
		t.Fatal("no HealthReporter")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	err := reporter.Health(ctx, func(h sdk.Health) error {
		if h.State != sdk.HealthHealthy {
			t.Errorf("health %+v", h)
		}
		return nil
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a stream on which nothing happens: %v\n%s", err, p.Logs())
	}
}
