package platform

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Leftovers are looked for wherever a run directory may have been made.
func TestRunBases(t *testing.T) {
	for name, test := range map[string]struct {
		named, runtime, temporary string
		want                      []string
	}{
		"named":        {"/run/apm", "/run/user/1", "/var/tmp", []string{"/run/apm"}},
		"all":          {"", "/run/user/1", "/var/tmp", []string{"/run/user/1", "/tmp", "/var/tmp"}},
		"no runtime":   {"", "", "/var/tmp", []string{"/tmp", "/var/tmp"}},
		"nothing else": {"", "", "/tmp", []string{"/tmp"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_RUNTIME_DIR", test.runtime)
			t.Setenv("TMPDIR", test.temporary)
			if diff := cmp.Diff(test.want, runBases(test.named)); diff != "" {
				t.Errorf("bases (-want +got):\n%s", diff)
			}
		})
	}
}
