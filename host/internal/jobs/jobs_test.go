package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apm-deploy/apm/host/internal/jobs"
)

// start runs the runner in the background, and returns what ends it.
func start(t *testing.T, r *jobs.Runner) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func register(t *testing.T, r *jobs.Runner, name string, every time.Duration, do func(context.Context) error) {
	t.Helper()
	if err := r.Register(name, every, do); err != nil {
		t.Fatal(err)
	}
}

func TestRunsByPeriod(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := jobs.New(slog.New(slog.DiscardHandler))
		var times []time.Time
		register(t, r, "retention", time.Hour, func(context.Context) error {
			times = append(times, time.Now())
			return nil
		})
		began := time.Now()
		end := start(t, r)
		time.Sleep(100 * time.Hour) //nolint:forbidigo // the clock of synctest
		end()
		if n := len(times); n < 90 || n > 112 {
			t.Errorf("ran %d times in 100 periods", n)
		}
		if first := times[0].Sub(began); first > time.Hour {
			t.Errorf("ran for the first time after %s, want within the first period", first)
		}
		even := true
		for i := 1; i < len(times); i++ {
			pause := times[i].Sub(times[i-1])
			if pause < 54*time.Minute || pause > 66*time.Minute {
				t.Errorf("pause of %s, want an hour, a tenth more or less", pause)
			}
			even = even && pause == time.Hour
		}
		if even {
			t.Error("the pauses have no jitter")
		}
	})
}

func TestFailuresAreLoggedAndEndNothing(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("disk on fire") },
		"panic": func() error { panic("disk on fire") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				r := jobs.New(slog.New(slog.NewTextHandler(&log, nil)))
				runs := 0
				register(t, r, "retention", time.Minute, func(context.Context) error {
					runs++
					return fail()
				})
				end := start(t, r)
				time.Sleep(5 * time.Minute) //nolint:forbidigo // the clock of synctest
				end()
				if runs < 4 {
					t.Errorf("ran %d times in 5 periods: a failure ended it", runs)
				}
				if got := strings.Count(log.String(), "disk on fire"); got < runs {
					t.Errorf("%d failures, %d in the log:\n%s", runs, got, log.String())
				}
				if !strings.Contains(log.String(), "job=retention") {
					t.Errorf("the log does not name the job:\n%s", log.String())
				}
			})
		})
	}
}

func TestTrigger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := jobs.New(slog.New(slog.DiscardHandler))
		runs, hold := 0, make(chan struct{})
		register(t, r, "retention", 0, func(context.Context) error {
			runs++
			<-hold
			return nil
		})
		if err := r.Trigger("unknown"); !errors.Is(err, jobs.ErrUnknown) {
			t.Errorf("Trigger(unknown) = %v", err)
		}
		end := start(t, r)
		trigger := func() {
			t.Helper()
			if err := r.Trigger("retention"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		time.Sleep(time.Hour) //nolint:forbidigo // the clock of synctest
		if runs != 0 {
			t.Fatalf("ran %d times without a trigger", runs)
		}
		for range 5 {
			trigger()
		}
		if runs != 1 {
			t.Fatalf("runs %d times at once", runs)
		}
		close(hold)
		synctest.Wait()
		if runs != 2 {
			t.Fatalf("ran %d times, want once and once more for what was triggered meanwhile", runs)
		}
		end()
	})
}

func TestRunWaitsForWhatItStarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := jobs.New(slog.New(slog.DiscardHandler))
		began, ended := false, false
		register(t, r, "slow", 0, func(ctx context.Context) error {
			began = true
			<-ctx.Done()
			time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
			ended = true
			return ctx.Err()
		})
		if err := r.Trigger("slow"); err != nil {
			t.Fatal(err)
		}
		end := start(t, r)
		synctest.Wait()
		if !began {
			t.Error("what was triggered before Run has not begun")
		}
		end()
		if !ended {
			t.Error("Run returned while a job ran")
		}
	})
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	work := func(context.Context) error { return nil }
	for name, try := range map[string]func(*jobs.Runner) error{
		"no name":         func(r *jobs.Runner) error { return r.Register("", time.Hour, work) },
		"no work":         func(r *jobs.Runner) error { return r.Register("retention", time.Hour, nil) },
		"negative period": func(r *jobs.Runner) error { return r.Register("retention", -time.Hour, work) },
		"name taken":      func(r *jobs.Runner) error { return r.Register("taken", time.Hour, work) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := jobs.New(slog.New(slog.DiscardHandler))
			register(t, r, "taken", time.Hour, work)
			if err := try(r); err == nil {
				t.Error("no error")
			}
		})
	}
}
