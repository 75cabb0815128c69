package doctor_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/cli/doctor"
	"github.com/apm-deploy/apm/sdk"
)

// TestForgetIsForGood: what looks after a component writes its state again until
// it ends, a moment after the component.
func TestForgetIsForGood(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "0198c2d4")
	write := func() error {
		if err := os.MkdirAll(filepath.Join(dir, "shop"), 0o700); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "shop", "state.json"), []byte("{}"), 0o600)
	}
	check(t, write())
	again := time.AfterFunc(400*time.Millisecond, func() { _ = write() })
	t.Cleanup(func() { again.Stop() })
	check(t, doctor.Forget(t.Context(), dir, time.Second))
	if _, err := os.Stat(dir); err == nil {
		t.Error("it is there again")
	}
	check(t, doctor.Forget(t.Context(), dir, time.Millisecond)) // not there at all
}

// TestForgetGivesUp: somebody makes it again and again.
func TestForgetGivesUp(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "0198c2d4")
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	check(t, os.Mkdir(dir, 0o700))
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = os.Mkdir(dir, 0o700)
			case <-ctx.Done():
				return
			}
		}
	}()
	if err := doctor.Forget(ctx, dir, time.Second); err == nil {
		t.Error("no error")
	}
	<-done
}

// healthy tells of itself and goes on until nobody listens.
type healthy struct {
	sdk.Platform
	attributes map[string]string
}

func (h healthy) Health(ctx context.Context, report func(sdk.Health) error) error {
	if err := report(sdk.Health{Attributes: h.attributes}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestStateDir(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		platform sdk.Platform
		want     string
	}{
		"told":             {healthy{attributes: map[string]string{"state_dir": "/var/lib/apm-process"}}, "/var/lib/apm-process"},
		"not told":         {healthy{}, ""},
		"tells of nothing": {&platform{}, ""},
	} {
		if got, err := doctor.StateDir(t.Context(), test.platform); err != nil || got != test.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
