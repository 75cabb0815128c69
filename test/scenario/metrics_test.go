package scenario_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// metric returns the value of a series, written as /metrics writes it; -1: there
// is no such series.
func metric(t *testing.T, h *harness.Host, series string) float64 {
	t.Helper()
	answer := h.REST("GET", "/metrics", "")
	if answer.Status != 200 {
		t.Fatalf("metrics: %d %s", answer.Status, answer.Body)
	}
	for line := range strings.Lines(answer.Body) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), series+" "); ok {
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return number
		}
	}
	return -1
}
