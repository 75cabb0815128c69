package platform_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/platform"
)

func TestWhenPhaseChanges(t *testing.T) {
	t.Parallel()
	var told []string
	changed := platform.WhenPhaseChanges(func(s platform.State) {
		told = append(told, s.Platform+" "+string(s.Phase)+" "+s.Reason)
	})
	for _, state := range []platform.State{
		{Platform: "a", Phase: "starting"},
		{Platform: "a", Phase: "starting", PID: 1},
		{Platform: "b", Phase: "starting"},
		{Platform: "a", Phase: "starting", PID: 1, Version: "1"},
		{Platform: "a", Phase: "backoff", Reason: "killed"},
		{Platform: "a", Phase: "backoff", Reason: "killed again"},
		{Platform: "a", Phase: "starting"},
	} {
		changed(state)
	}
	want := []string{"a starting ", "b starting ", "a backoff killed", "a backoff killed again", "a starting "}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
