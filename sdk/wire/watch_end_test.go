package wire_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/wire"
)

func TestWatchEnds(t *testing.T) {
	t.Parallel()
	expired := sdk.Errorf(sdk.OutOfRange, sdk.ReasonResumeExpired, "token expired")
	for name, tc := range map[string]struct {
		watch func(context.Context, sdk.WatchRequest, sdk.Sink) error
		check func(*testing.T, error)
		log   string
	}{
		"without an outcome": {
			func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error { return sink(state("s")) },
			func(t *testing.T, err error) {
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("error %v", err)
				}
			}, "Watch returned without an outcome",
		},
		"token expired": {
			func(context.Context, sdk.WatchRequest, sdk.Sink) error { return expired },
			func(t *testing.T, err error) { wantError(t, "Watch", err, sdk.OutOfRange, sdk.ReasonResumeExpired) }, "",
		},
		"error after events": {
			func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
				if err := sink(state("s")); err != nil {
					return err
				}
				return expired
			},
			func(t *testing.T, err error) { wantError(t, "Watch", err, sdk.OutOfRange, sdk.ReasonResumeExpired) }, "",
		},
		"error after the outcome": {
			func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
				if err := sink(state("s"), success()); err != nil {
					return err
				}
				return expired
			},
			func(t *testing.T, err error) { same(t, "error", nil, err) }, "",
		},
		"events after the outcome": {
			func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
				if err := sink(state("s"), success()); err != nil {
					return err
				}
				if err := sink(drift("late"), drift("late")); err == nil {
					return errors.New("a late event was taken")
				}
				return nil
			},
			func(t *testing.T, err error) { same(t, "error", nil, err) }, "events=2",
		},
		"late within one call": {
			func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
				return sink(state("s"), success(), drift("late"))
			},
			func(t *testing.T, err error) { same(t, "error", nil, err) }, "events=1",
		},
		"late within one call, error ignored": {
			func(ctx context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
				_ = sink(state("s"), success(), drift("late"))
				<-ctx.Done()
				return ctx.Err()
			},
			func(t *testing.T, err error) { same(t, "error", nil, err) }, "events=1",
		},
		"no State first": {
			func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error { return sink(drift("d"), success()) },
			func(t *testing.T, err error) { same(t, "error", nil, err) }, "not a State",
		},
		"a handle too large": {
			func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
				return sink(state("s"), sdk.Event{Handle: &sdk.Handle{State: make([]byte, sdk.MaxHandle+1)}})
			},
			func(t *testing.T, err error) { wantError(t, "Watch", err, sdk.Internal, sdk.ReasonPluginBug) }, "",
		},
		"an event too large, error ignored": {
			func(ctx context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
				_ = sink(state(strings.Repeat("x", sdk.MaxMessage)))
				<-ctx.Done()
				return ctx.Err()
			},
			func(t *testing.T, err error) { wantError(t, "Watch", err, sdk.Internal, sdk.ReasonPluginBug) }, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, out := watching(t, tc.watch)
			ctx, cancel := context.WithTimeout(t.Context(), wire.HeartbeatInterval*2/3) // nothing waits for a heartbeat
			defer cancel()
			err := client.Watch(ctx, watchRequest(), func(batch ...sdk.Event) error {
				for _, event := range batch {
					if event.Drift != nil && event.Drift.Message == "late" {
						t.Error("a late event arrived")
					}
				}
				return nil
			})
			tc.check(t, err)
			eventually(t, "log of "+name, func() bool { return strings.Contains(out.String(), tc.log) })
		})
	}
}
