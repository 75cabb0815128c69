package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/sdk"
)

// life is how a process does: for how long it is ready, and why it ends.
type life struct {
	ready time.Duration
	err   error
}

var (
	errCrash = errors.New("crashed")
	errDown  = sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "the daemon is down")
)

// lived returns a keeper whose processes live as said, the last one's life again
// and again, and what it tells, each with the time since the beginning.
func lived(t *testing.T, lives ...life) (k *keeper, told *[]string) {
	t.Helper()
	catalog, err := NewCatalog(CatalogConfig{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	told = new([]string)
	changed := WhenPhaseChanges(func(s State) {
		*told = append(*told, fmt.Sprintf("%v %s", time.Since(began), s.Phase))
	})
	k = newKeeper(SupervisorConfig{Catalog: catalog, Changed: changed}, Spec{Name: "one", Plugin: "p"}, slog.New(slog.DiscardHandler))
	k.jitter = func() float64 { return 0.5 }
	k.live = func(turn, _ context.Context, o *order) (time.Duration, error) {
		now := lives[0]
		if len(lives) > 1 {
			lives = lives[1:]
		}
		k.set(func(s *State) { s.Phase, s.Reason, s.Err = Starting, "", nil })
		if now.ready == 0 {
			return 0, now.err
		}
		k.set(func(s *State) { s.Phase = Ready })
		timer := time.NewTimer(now.ready)
		defer timer.Stop()
		if now.ready >= k.times.Settle {
			settled := time.NewTimer(k.times.Settle)
			defer settled.Stop()
			select {
			case <-settled.C:
				o.finish(nil)
			case <-turn.Done():
			}
		}
		select {
		case <-timer.C:
			return now.ready, now.err
		case <-turn.Done():
			k.set(func(s *State) { s.Phase = Draining })
			return now.ready, nil
		}
	}
	return k, told
}

// keep runs the keeper for that long.
func keep(t *testing.T, k *keeper, long time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	k.run(ctx, ctx)
}

// The states that a platform goes through, and when.
func TestKeeper(t *testing.T) {
	t.Parallel()
	const forEver = time.Hour * 24 * 365
	tests := map[string]struct {
		lives []life
		long  time.Duration
		want  []string
	}{
		"well until the end": {
			[]life{{ready: forEver}},
			time.Minute,
			[]string{"0s starting", "0s ready", "1m0s draining", "1m0s stopped"},
		},
		"the first restart is at once": {
			[]life{{ready: 30 * time.Second, err: errCrash}, {ready: forEver}},
			time.Minute,
			[]string{"0s starting", "0s ready", "30s backoff", "30s starting", "30s ready", "1m0s draining", "1m0s stopped"},
		},
		"broken after five starts that did not settle": {
			[]life{{ready: 9 * time.Second, err: errCrash}},
			2 * time.Minute,
			[]string{
				"0s starting", "0s ready", "9s backoff", "9s starting", "9s ready", "18s backoff", // 1 s
				"19s starting", "19s ready", "28s backoff", // 2 s
				"30s starting", "30s ready", "39s backoff", // 4 s
				"43s starting", "43s ready", "52s broken", "2m0s stopped",
			},
		},
		"a start that settles begins the count anew": {
			[]life{
				{err: errCrash},
				{err: errCrash},
				{err: errCrash},
				{err: errCrash},
				{ready: 10 * time.Second, err: errCrash},
				{err: errCrash},
				{ready: forEver},
			},
			time.Minute,
			[]string{
				"0s starting", "0s backoff", "0s starting", "0s backoff", "1s starting", "1s backoff", "3s starting", "3s backoff",
				"7s starting", "7s ready", "17s backoff", "18s starting", "18s backoff", "19s starting", "19s ready",
				"1m0s draining", "1m0s stopped",
			},
		},
		"60 s of health make the next restart immediate": {
			[]life{{err: errCrash}, {ready: time.Minute, err: errCrash}, {ready: forEver}},
			2 * time.Minute,
			[]string{
				"0s starting", "0s backoff", "0s starting", "0s ready", "1m0s backoff", "1m0s starting", "1m0s ready",
				"2m0s draining", "2m0s stopped",
			},
		},
		"what only a person can mend is tried once": {
			[]life{{err: mistake{errCrash}}},
			time.Minute,
			[]string{"0s starting", "0s broken", "1m0s stopped"},
		},
		"a platform that is down is waited for, two minutes at most": {
			[]life{{err: errDown}},
			11 * time.Minute,
			[]string{
				"0s starting", "0s backoff", "0s starting", "0s backoff", "1s starting", "1s backoff", "3s starting", "3s backoff",
				"7s starting", "7s backoff", "15s starting", "15s backoff", "31s starting", "31s backoff",
				"1m3s starting", "1m3s backoff", "2m7s starting", "2m7s backoff", "4m7s starting", "4m7s backoff",
				"6m7s starting", "6m7s backoff", "8m7s starting", "8m7s backoff", "10m7s starting", "10m7s backoff", "11m0s stopped",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k, told := lived(t, test.lives...)
				keep(t, k, test.long)
				if diff := cmp.Diff(test.want, *told); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A platform that is broken stays so until somebody restarts it, and then begins
// as if nothing had been.
func TestKeeperResetByHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, told := lived(t, life{err: errCrash})
		byHand := time.AfterFunc(time.Minute, func() { k.give(&order{reason: "restarted by hand"}) })
		defer byHand.Stop()
		keep(t, k, 2*time.Minute)
		five := []string{"starting", "backoff", "starting", "backoff", "starting", "backoff", "starting", "backoff", "starting", "broken"}
		at := []string{"0s", "0s", "0s", "0s", "1s", "1s", "3s", "3s", "7s", "7s", "1m0s", "1m0s", "1m0s", "1m0s", "1m0s", "1m1s", "1m1s", "1m3s", "1m3s", "1m7s", "1m7s"}
		var want []string
		for i, phase := range append(append(append([]string{}, five...), "draining"), five...) {
			want = append(want, at[i]+" "+phase)
		}
		want = append(want, "2m0s stopped")
		if diff := cmp.Diff(want, *told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// An order's process that does not stay is followed by the old one at once, and
// whoever ordered hears why.
func TestKeeperGoesBack(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		trial   life
		old     *Pin
		settles bool
		err     error
		want    []string
	}{
		"refused":           {life{err: mistake{errCrash}}, &Pin{SHA256: "old"}, false, errCrash, []string{"10s draining", "10s starting", "10s draining", "10s starting", "10s ready"}},
		"soon gone":         {life{ready: time.Second, err: errCrash}, &Pin{SHA256: "old"}, false, errCrash, []string{"10s draining", "10s starting", "10s ready", "11s draining", "11s starting", "11s ready"}},
		"nothing ran":       {life{err: errCrash}, nil, false, errCrash, []string{"10s draining", "10s starting", "10s backoff", "10s starting", "10s ready"}},
		"gone when settled": {life{ready: 20 * time.Second, err: errCrash}, &Pin{SHA256: "old"}, true, nil, []string{"10s draining", "10s starting", "10s ready", "30s backoff", "30s starting", "30s ready"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k, told := lived(t, life{ready: time.Hour}, test.trial, life{ready: time.Hour})
				heard := make(chan error, 1)
				o := &order{reason: "upgraded", pin: &Pin{SHA256: "new"}, old: test.old, told: heard}
				give := time.AfterFunc(10*time.Second, func() { k.give(o) })
				defer give.Stop()
				keep(t, k, time.Minute)
				want := append(append([]string{"0s starting", "0s ready"}, test.want...), "1m0s draining", "1m0s stopped")
				if diff := cmp.Diff(want, *told); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
				if err := <-heard; !errors.Is(err, test.err) {
					t.Errorf("heard %v", err)
				}
				runs := "new"
				if test.old != nil && !test.settles {
					runs = "old"
				}
				if pin := k.running(); pin == nil || pin.SHA256 != runs {
					t.Errorf("it runs %+v", pin)
				}
			})
		})
	}
}

// An order that comes after the end is refused; one that waits is told.
func TestKeeperStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, _ := lived(t, life{ready: time.Hour})
		first, second := make(chan error, 1), make(chan error, 1)
		k.give(&order{told: first})
		k.give(&order{told: second})
		if err := <-first; !errors.Is(err, errInterrupted) {
			t.Errorf("one that was replaced: %v", err)
		}
		keep(t, k, 5*time.Second) // before it has settled
		if err := <-second; !errors.Is(err, errInterrupted) {
			t.Errorf("one whose turn was ended: %v", err)
		}
		if k.give(&order{}) {
			t.Error("an order was taken after the end")
		}
	})
}
