package platform_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/platform"
)

// A plugin that is well until somebody kills it is never broken, however often
// that happens.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	h := developed(t)
	const settle = 50 * time.Millisecond
	h.hold.Times = platform.Times{Settle: settle, BackoffMin: 10 * time.Millisecond}
	s := h.supervise()
	killed := map[int]bool{}
	for range 2 * 5 {
		var state platform.State
		eventually(t, "the next process has settled", func() bool {
			state = s.States()[0]
			return state.Phase == platform.Ready && !killed[state.PID] && time.Since(state.Since) > 2*settle
		})
		killed[state.PID] = true
		if err := syscall.Kill(state.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	await(t, s)
	if configured := len(h.noted("configured")); configured < len(killed) {
		t.Errorf("%d processes were killed, %d configured", len(killed), configured)
	}
}

// Restart does not wait for a start that hangs.
func TestRestartWhileItHangs(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"hang", "hang-in-configure"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			h := developed(t)
			h.hold.Times = platform.Times{Start: time.Minute, Configure: time.Minute, Stop: 100 * time.Millisecond}
			h.control("mode", mode)
			s := h.supervise()
			eventually(t, "it hangs", func() bool { return len(h.noted("hangs")) == 1 })
			h.control("mode", "")
			began := time.Now()
			if err := s.Restart("one"); err != nil {
				t.Fatal(err)
			}
			await(t, s)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// Whoever asks after Restart never gets the process from before.
func TestRestartWithdrawsAtOnce(t *testing.T) {
	t.Parallel()
	h := developed(t)
	s := h.supervise()
	for range 5 {
		old := await(t, s)
		if err := s.Restart("one"); err != nil {
			t.Fatal(err)
		}
		if now := await(t, s); now == old {
			t.Fatal("Await gave the old process")
		}
	}
	if got := s.States()[0].Starts; got != 6 {
		t.Errorf("%d starts", got)
	}
}
