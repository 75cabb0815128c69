package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/apm-deploy/apm/host/internal/bus"
	"github.com/apm-deploy/apm/host/internal/bus/bustest"
	"github.com/apm-deploy/apm/host/internal/bus/memory"
)

// No subscription of any test may leave its goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBus(t *testing.T) {
	t.Parallel()
	bustest.Run(t, func(*testing.T) bus.Bus { return memory.New() })
}
