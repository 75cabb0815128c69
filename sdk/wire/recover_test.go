package wire_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// "Not started" must be proven: a Deploy whose caller gave it up can still land,
// so that Recover waits for its end.
func TestRecoverWaitsForEarlierCalls(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	landed := false
	client, _ := configured(t, &bare{
		deploy: func(context.Context, sdk.DeployRequest) (sdk.Handle, error) {
			close(entered)
			<-leave // a call of the platform that knows no context
			landed = true
			return sdk.Handle{Version: 1}, nil
		},
		recover: func(context.Context, sdk.RecoverRequest) (sdk.Recovery, error) {
			if landed {
				return sdk.Recovery{Status: sdk.RecoverRunning, Handle: sdk.Handle{Version: 1}}, nil
			}
			return sdk.Recovery{Status: sdk.RecoverNotStarted}, nil
		},
	})
	given, giveUp := context.WithCancel(t.Context())
	deployed := make(chan error, 1)
	go func() {
		_, err := client.Deploy(given, deployAt("op", 1))
		deployed <- err
	}()
	<-entered
	giveUp()
	if err := <-deployed; !errors.Is(err, context.Canceled) {
		t.Fatalf("Deploy: %v", err)
	}
	request := sdk.RecoverRequest{Operation: sdk.Operation{ID: "op", Epoch: 2}, Target: target(), Release: &sdk.Release{}}
	// Its own deadline ends the wait, and proves nothing.
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if found, err := client.Recover(short, request); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Recover while Deploy is under way: %+v, %v", found, err)
	}
	// Another operation waits for nobody.
	other := request
	other.Operation.ID = "other"
	if found, err := client.Recover(t.Context(), other); err != nil || found.Status != sdk.RecoverNotStarted {
		t.Errorf("Recover of another operation: %+v, %v", found, err)
	}
	recovered := make(chan sdk.Recovery, 1)
	go func() {
		found, err := client.Recover(t.Context(), request)
		if err != nil {
			t.Errorf("Recover: %v", err)
		}
		recovered <- found
	}()
	close(leave)
	if found := <-recovered; found.Status != sdk.RecoverRunning {
		t.Errorf("Recover after a Deploy that landed late: status %d, want running", found.Status)
	}
}

// Who waits for an answer of his own does not wait for that of another.
func TestDescribeHonoursItsContext(t *testing.T) {
	t.Parallel()
	hangs := make(chan struct{})
	client := hanging(t, hangs)
	go func() { _, _ = client.Describe(t.Context()) }() // the first one hangs
	<-hangs
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	asked := make(chan error, 1)
	go func() {
		_, err := client.Describe(short)
		asked <- err
	}()
	select {
	case err := <-asked:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Describe: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("Describe waits beyond its context")
	}
}

// An outcome is never too large to be told: of its log lines the newest travel.
func TestOutcomeWithLongLogs(t *testing.T) {
	t.Parallel()
	logs := make([]sdk.LogLine, 200)
	for i := range logs {
		logs[i].Line = strings.Repeat("a\xff", 32<<10) // grows when it is made valid
	}
	logs[len(logs)-1].Line = "the last"
	client, _ := configured(t, &bare{watch: func(_ context.Context, _ sdk.WatchRequest, sink sdk.Sink) error {
		return sink(sdk.Event{State: &sdk.State{}}, sdk.Event{Outcome: &sdk.Outcome{
			Result: sdk.ResultFailed, Failure: &sdk.Failure{Code: sdk.CodeExited, Logs: logs},
		}})
	}})
	var outcome *sdk.Outcome
	err := client.Watch(t.Context(), sdk.WatchRequest{Operation: sdk.Operation{ID: "op"}, Target: target()}, func(events ...sdk.Event) error {
		outcome = events[len(events)-1].Outcome
		return nil
	})
	if err != nil || outcome == nil {
		t.Fatalf("Watch: %v, outcome %v", err, outcome)
	}
	if len(outcome.Failure.Logs) < 10 {
		t.Errorf("%d lines", len(outcome.Failure.Logs))
	}
	if last := outcome.Failure.Logs[len(outcome.Failure.Logs)-1].Line; last != "the last" {
		t.Errorf("the last line is %.20q", last)
	}
}
