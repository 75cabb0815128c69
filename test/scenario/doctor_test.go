package scenario_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// TestDoctorCleansUp removes what an installation left running whose host was
// killed and whose data directory is gone. It lists first, asks, and touches
// nothing that belongs to a host that runs.
func TestDoctorCleansUp(t *testing.T) {
	t.Parallel()
	h, address, _ := shop(t, "v1")
	installation := h.Installation
	pid := h.Serves(address, "v1")
	refused := h.Must(1, "doctor", "--clean", "--yes", "--installation", installation)
	if !strings.Contains(refused.Stderr, fmt.Sprintf("runs at %s (pid %d)", h.URL(), h.PID())) {
		t.Errorf("the host runs: %s", refused)
	}
	h.Serves(address, "v1")

	h.Kill9()
	if err := os.RemoveAll(h.Data); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "it lists and asks", func() (bool, string) {
		r := h.CLI("doctor", "--clean", "--installation", installation)
		return r.Code == 2 && strings.Contains(r.Stderr, installation) && strings.Contains(r.Stderr, "shop") && strings.Contains(r.Stderr, "--yes"), r.String()
	})
	if got := h.Serves(address, "v1"); got != pid {
		t.Errorf("instance %s answers, before it %s", got, pid)
	}
	harness.Eventually(t, "it removes", func() (bool, string) {
		r := h.CLI("doctor", "--clean", "--yes", "--installation", installation)
		return r.Code == 0 && harness.Answers(address) != nil, r.String()
	})
	if r := h.Must(0, "doctor", "--clean", "--yes", "--installation", installation); !strings.Contains(r.Stdout, "nothing is left running") {
		t.Errorf("after it: %s", r)
	}
	h.NothingLeft()
}

// TestRootIsWarned tells who runs it as root, and nobody else, and still runs.
func TestRootIsWarned(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	warned := strings.Contains(h.Read("host.log"), "the host runs as root")
	if root := os.Geteuid() == 0; warned != root {
		t.Errorf("root is %v, and it is warned of: %v\n%s", root, warned, h.LogTail(30))
	}
}
