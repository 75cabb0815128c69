package platform_test

import (
	"fmt"
	"testing"

	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
)

// TestShimHasAName: who asks what holds an application's port is told, not "exe".
func TestShimHasAName(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.settled("v1", b.app("version=v1"))
	want := fmt.Sprintf("pid %d (%s)", b.component().Shim.PID, procinfo.ShimName)
	if got := procinfo.Holder(b.public); got != want {
		t.Errorf("%s is held by %q, want %q", b.public, got, want)
	}
}
