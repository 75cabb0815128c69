package platform_test

import "testing"

// Where no socket can be made nothing is started, and it is said what to set.
func TestRunDirectoryNotWritable(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.hold.RunDir = "/dev/null/run" // not for root either
	h.hold.Plugins[0].Dev = true
	_, err := h.catalog().Inspect(t.Context(), "fault")
	says(t, err, "make run directory: mkdir /dev/null/run", "not a directory", "set XDG_RUNTIME_DIR to a short directory that the host may write")
	if starts := h.starts(); len(starts) > 0 {
		t.Errorf("it was started: %v", starts)
	}
}
