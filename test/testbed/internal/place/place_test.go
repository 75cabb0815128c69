package place_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/testbed/internal/place"
)

// TestDirectory refuses directories in which a node could not run, and says what
// to do.
func TestDirectory(t *testing.T) {
	for name, c := range map[string]struct{ dir, want string }{
		"covered":  {"/var/lib/testbed", "below /var/lib, which the node covers"},
		"run":      {"/run/user/0/testbed", "below /run"},
		"the root": {"/var/log", "below /var/log"},
		"blank":    {"/tmp/my testbed", "has a blank"},
		"long":     {"/tmp/" + strings.Repeat("a", 90), "80 are possible"},
		"good":     {"/tmp/testbed", ""},
		"near":     {"/running/testbed", ""},
	} {
		t.Setenv(place.DirectoryVariable, c.dir)
		dir, err := place.Directory("/somewhere")
		if c.want == "" {
			if err != nil || dir != c.dir {
				t.Errorf("%s: got %q, %v", name, dir, err)
			}
			continue
		}
		if !errors.Is(err, place.ErrDirectory) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), place.DirectoryVariable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestCheckouts have directories of their own.
func TestCheckouts(t *testing.T) {
	t.Setenv(place.DirectoryVariable, "")
	one, err1 := place.Directory("/checkout/one")
	two, err2 := place.Directory("/checkout/two")
	again, err3 := place.Directory("/checkout/one")
	if err := errors.Join(err1, err2, err3); err != nil || one == two || one != again {
		t.Errorf("got %q, %q and %q, %v", one, two, again, err)
	}
}

func TestRepository(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	below := filepath.Join(top, "a", "b")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := place.Repository(below); err == nil || !strings.Contains(err.Error(), "go.work") {
		t.Errorf("outside of a checkout: %v", err)
	}
	if err := os.WriteFile(filepath.Join(top, "go.work"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if found, err := place.Repository(below); err != nil || found != top {
		t.Errorf("got %q, %v, want %q", found, err, top)
	}
}

// TestLock is held by one alone, or shared by several.
func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "below", "lock")
	take := func(shared bool) *place.Lock {
		t.Helper()
		lock, err := place.Try(path, shared)
		if err != nil {
			t.Fatal(err)
		}
		return lock
	}
	alone := take(false)
	for _, shared := range []bool{false, true} {
		if _, err := place.Try(path, shared); !errors.Is(err, place.ErrHeld) {
			t.Errorf("a lock that is held: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := place.Take(ctx, path, true, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("a lock that is waited for in vain: %v", err)
	}
	alone.Release()
	one, two := take(true), take(true)
	if _, err := place.Try(path, false); !errors.Is(err, place.ErrHeld) {
		t.Errorf("a lock that is shared: %v", err)
	}
	one.Release()
	two.Release()
	take(false).Release()
}
