package testbed

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/testbed/internal/node"
)

// TestDemand skips where there can be no node, and fails where one should be.
func TestDemand(t *testing.T) {
	cannot := fmt.Errorf("%w: it needs root", node.ErrCannot)
	for name, c := range map[string]struct {
		err      error
		ci, want string
	}{
		"there":         {nil, "true", "goes on"},
		"nowhere":       {cannot, "", "skipped"},
		"nowhere in CI": {cannot, "true", "failed"},
		"broken":        {errors.New("etcd is broken"), "", "failed"},
	} {
		t.Setenv("CI", c.ci)
		dir := filepath.Join(t.TempDir(), "node")
		fake := &outcome{TB: t, is: "goes on"}
		done := make(chan struct{})
		go func() {
			defer close(done)
			demand(fake, dir, c.err)
		}()
		<-done
		var listed strings.Builder
		node.ReportLeftOut(dir, &listed)
		if fake.is != c.want || (c.want == "skipped") != strings.Contains(listed.String(), t.Name()) {
			t.Errorf("%s: the test %s, want %s, and the list is %q", name, fake.is, c.want, listed.String())
		}
	}
}

// outcome takes what happens to a test.
type outcome struct {
	testing.TB
	is string
}

func (o *outcome) Skip(...any)  { o.is = "skipped"; runtime.Goexit() }
func (o *outcome) Fatal(...any) { o.is = "failed"; runtime.Goexit() }
