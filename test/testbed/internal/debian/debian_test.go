package debian_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/testbed/internal/debian"
)

// TestMissing names each package once.
func TestMissing(t *testing.T) {
	t.Parallel()
	missing := debian.Missing([]debian.Part{
		{Package: "here", File: "/bin/sh"},
		{Package: "gone", File: "/no/such/file"},
		{Package: "gone", File: "no-such-program"},
		{Package: "lost", File: "/no/such/program"},
	})
	if want := []string{"gone", "lost"}; !slices.Equal(missing, want) {
		t.Errorf("got %q, want %q", missing, want)
	}
}

// TestCannotInstall says what to install by hand.
func TestCannotInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := debian.Ensure(t.Context(), []debian.Part{{Package: "gone", File: "no-such-program"}}, io.Discard)
	if !errors.Is(err, debian.ErrMissing) || !strings.Contains(err.Error(), "apt-get install --no-install-recommends gone") {
		t.Errorf("got %v", err)
	}
	if err := debian.Ensure(t.Context(), []debian.Part{{Package: "here", File: "/bin/sh"}}, io.Discard); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
}
