package engine_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// undisturbed runs a scenario in a world where nothing goes wrong, and returns
// how it ended and how many calls it took.
func undisturbed(t *testing.T, s scenario, b base) (ended, int) {
	t.Helper()
	return faulty(t, s, b, func(*world) {})
}

// faulty runs a scenario in a world with faults.
func faulty(t *testing.T, s scenario, b base, harm func(*world)) (ended, int) {
	t.Helper()
	r, id := b.rig(t)
	r.world.with(func() {
		r.world.calls = 0
		harm(r.world)
	})
	r.run()
	id = s.does(r, id)
	wait := r.beside(s, id)
	wait()
	d := r.await(id, s.runs)
	r.stop()
	r.world.with(func() {
		for call, left := range r.world.lost {
			if left > 0 {
				t.Errorf("%d answers of %s were not asked for", left, call)
			}
		}
	})
	calls, _ := r.world.counts()
	return r.ended(d), calls
}

// The plugin is gone from some call on and does not answer the next ones either;
// its streams break. What was under way ends as if nothing had happened.
func TestPluginGoneAtCalls(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"good version by steps", "bad version", "cancelled under way", "rolled back by hand", "component dropped"} {
		s := scenarios[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := s.base(t)
			want, calls := undisturbed(t, s, b)
			for _, n := range points(calls, 4, name) {
				t.Run(fmt.Sprintf("call %d", n), func(t *testing.T) {
					t.Parallel()
					got, _ := faulty(t, s, b, func(w *world) { w.goneAt, w.goneFor = n, 3 })
					if diff := cmp.Diff(want, got); diff != "" {
						t.Error(diff)
					}
				})
			}
		})
	}
}

// A call is carried out, but its answer is lost with the plugin: it is never
// carried out twice.
func TestAnswersLost(t *testing.T) {
	t.Parallel()
	for call, name := range map[string]string{
		"deploy": "good version by steps", "promote": "good version by steps",
		"rollback": "bad version", "cancel": "cancelled under way",
	} {
		s := scenarios[name]
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			b := s.base(t)
			want, _ := undisturbed(t, s, b)
			for lost := 1; lost <= 2; lost++ {
				got, _ := faulty(t, s, b, func(w *world) { w.lost[call] = lost })
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%d lost: %s", lost, diff)
				}
			}
		})
	}
}
