package platform_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/platform"
	"github.com/apm-deploy/apm/sdk"
)

const mebi = 1 << 20

// A plugin that takes more memory than it may is killed, says so, and comes back.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.hold.Plugins[0].MemoryLimit = 64 * mebi
	h.hold.Times = platform.Times{Ping: 100 * time.Millisecond}
	s := h.supervise()
	got := await(t, s)
	before := s.States()[0].PID
	if _, err := probe(t.Context(), got, fmt.Sprint("eat ", mebi)); err != nil {
		t.Fatalf("within the limit: %v", err)
	}
	if environment := strings.Join(h.noted("environment"), "\n"); !strings.Contains(environment, fmt.Sprint("GOMEMLIMIT=", 64*mebi/10*9)) {
		t.Error("Go's runtime is not told")
	}
	_, err := probe(t.Context(), got, fmt.Sprint("eat ", 128*mebi))
	if err != nil && !errors.Is(err, sdk.ErrPluginGone) {
		t.Error(err)
	}
	eventually(t, "another process is ready", func() bool {
		state := s.States()[0]
		return state.Phase == platform.Ready && state.PID != before
	})
	if text := h.log.String(); !strings.Contains(text, "MiB of memory, its memory_limit is 64MiB, and was killed") {
		t.Errorf("the log does not say why:\n%s", text)
	}
}

// A plugin opens no more files than it may, although Go's runtime raises the
// limit that it finds.
func TestOpenFiles(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.hold.Plugins[0].OpenFiles = 100
	s := h.supervise()
	got := await(t, s)
	opened, err := probe(t.Context(), got, "open 200")
	if err != nil || !strings.Contains(opened, syscall.EMFILE.Error()) {
		t.Errorf("opened %q, %v", opened, err)
	}
	if _, err := probe(t.Context(), got, ""); err != nil {
		t.Errorf("it does not serve any more: %v", err)
	}
}
