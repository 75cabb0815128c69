package node_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/testbed/internal/node"
)

// TestLeftOut is said once, and loudly.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "node")
	var said strings.Builder
	node.ReportLeftOut(dir, &said)
	if said.Len() > 0 {
		t.Errorf("nothing was left out, and it says %q", said.String())
	}
	for _, test := range []string{"TestOne", "TestTwo/part"} {
		if err := node.LeaveOut(dir, test); err != nil {
			t.Fatal(err)
		}
	}
	node.ReportLeftOut(dir, &said)
	for _, want := range []string{"2 TESTS WERE LEFT OUT", "TestOne\n", "TestTwo/part\n"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q lacks %q", said.String(), want)
		}
	}
	said.Reset()
	node.ReportLeftOut(dir, &said)
	if said.Len() > 0 {
		t.Errorf("it is said twice: %q", said.String())
	}
}
