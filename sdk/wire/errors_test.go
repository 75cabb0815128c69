package wire_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/wire"
)

func allCodes() []sdk.Code {
	return []sdk.Code{
		sdk.InvalidArgument, sdk.Unauthenticated, sdk.PermissionDenied, sdk.NotFound, sdk.AlreadyExists, sdk.FailedPrecondition,
		sdk.Aborted, sdk.ResourceExhausted, sdk.Unavailable, sdk.OutOfRange, sdk.DeadlineExceeded, sdk.Unimplemented, sdk.Internal, sdk.Unknown,
	}
}

func allReasons() []sdk.Reason {
	return []sdk.Reason{
		sdk.ReasonUnspecified, sdk.ReasonInvalidSpec, sdk.ReasonAuth, sdk.ReasonQuota, sdk.ReasonRateLimited, sdk.ReasonPlatformUnavailable,
		sdk.ReasonConflict, sdk.ReasonNotFound, sdk.ReasonOperationMismatch, sdk.ReasonStaleEpoch, sdk.ReasonStateChanged,
		sdk.ReasonSnapshotStale, sdk.ReasonResumeExpired, sdk.ReasonNotConfigured, sdk.ReasonPluginBug,
	}
}

// What a plugin answers arrives whole, but for the cause.
func TestErrorsCross(t *testing.T) {
	t.Parallel()
	var answer error
	client, out := configured(t, &bare{probe: func(context.Context, sdk.ProbeRequest) (sdk.ProbeResult, error) {
		return sdk.ProbeResult{}, answer
	}})
	ask := func() error {
		_, err := client.Probe(t.Context(), sdk.ProbeRequest{Target: target()})
		return err
	}
	for i, code := range allCodes() {
		for _, reason := range allReasons() {
			want := &sdk.Error{
				Code: code, Reason: reason, Message: "what and what to do", Retryable: i%2 == 0, RetryAfter: time.Duration(i) * time.Second,
				Resource: "pod/a", By: "kubectl", Metadata: map[string]string{"request_id": "7"}, Err: errors.New("cause with canary"),
			}
			answer = fmt.Errorf("probe: %w", want)
			err := ask()
			var got *sdk.Error
			if !errors.As(err, &got) || errors.Is(err, sdk.ErrPluginGone) {
				t.Fatalf("%s %s: %v", code, reason, err)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(sdk.Error{}, "Err")); diff != "" || got.Err != nil {
				t.Errorf("(-want +got, cause %v):\n%s", got.Err, diff)
			}
		}
	}
	if !strings.Contains(out.String(), "cause with canary") {
		t.Error("the cause is not in the plugin's log")
	}
	answer = errors.New("forgot the code")
	if err := ask(); sdk.CodeOf(err) != sdk.Unknown || sdk.ReasonOf(err) != sdk.ReasonPluginBug || err.Error() != "forgot the code" {
		t.Errorf("plain error came as %v", err)
	}
	answer = &sdk.Error{Code: "NONSENSE", Reason: "NONSENSE", Message: "bad \xff text", By: "\xff", Metadata: map[string]string{"\xff": "\xff"}}
	if err := ask(); sdk.CodeOf(err) != sdk.Unknown || sdk.ReasonOf(err) != sdk.ReasonUnspecified || err.Error() != "bad \uFFFD text" {
		t.Errorf("nonsense came as %v", err)
	}
	answer = sdk.Errorf(sdk.Internal, "", "%s", strings.Repeat("é", 100_000))
	if err := ask(); sdk.CodeOf(err) != sdk.Internal || len(err.Error()) > 10_000 || !strings.HasSuffix(err.Error(), "[cut]") {
		t.Errorf("a long message came with %d bytes", len(err.Error()))
	}
}

// failing is a connection whose calls end with a status.
type failing struct {
	answers
	err error
}

func (f failing) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return f.err }

// What the plugin did not answer is told apart: who ended the call, and whether
// the plugin is still there.
func TestErrorsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	live := t.Context()
	cancelled, cancel := context.WithCancel(live)
	cancel()
	expired, done := context.WithDeadline(live, time.Unix(0, 0))
	defer done()
	soon, done2 := context.WithTimeout(live, time.Hour)
	defer done2()
	for name, tc := range map[string]struct {
		ctx     context.Context
		code    codes.Code
		is      []error
		isNot   []error
		sdkCode sdk.Code
	}{
		"unavailable":          {live, codes.Unavailable, []error{sdk.ErrPluginGone}, []error{context.Canceled}, sdk.Unknown},
		"stopped":              {live, codes.Canceled, []error{sdk.ErrPluginGone}, []error{context.Canceled}, sdk.Unknown},
		"internal":             {live, codes.Internal, []error{sdk.ErrPluginGone}, nil, sdk.Unknown},
		"unknown":              {live, codes.Unknown, []error{sdk.ErrPluginGone}, nil, sdk.Unknown},
		"hangs":                {live, codes.DeadlineExceeded, []error{sdk.ErrPluginGone, context.DeadlineExceeded}, nil, sdk.Unknown},
		"caller's deadline":    {expired, codes.DeadlineExceeded, []error{context.DeadlineExceeded}, []error{sdk.ErrPluginGone}, sdk.Unknown},
		"seen first by plugin": {soon, codes.DeadlineExceeded, []error{context.DeadlineExceeded}, []error{sdk.ErrPluginGone}, sdk.Unknown},
		"caller cancelled":     {cancelled, codes.Canceled, []error{context.Canceled}, []error{sdk.ErrPluginGone}, sdk.Unknown},
		"and it was down":      {cancelled, codes.Unavailable, []error{context.Canceled}, []error{sdk.ErrPluginGone}, sdk.Unknown},
		"not implemented":      {live, codes.Unimplemented, nil, []error{sdk.ErrPluginGone}, sdk.Unimplemented},
		"too large":            {live, codes.ResourceExhausted, nil, []error{sdk.ErrPluginGone}, sdk.Internal},
	} {
		_, err := wire.NewClient(failing{err: status.Error(tc.code, "x")}).Deploy(tc.ctx, deployAt("op", 1))
		if got := sdk.CodeOf(err); got != tc.sdkCode {
			t.Errorf("%s: code %s of %v", name, got, err)
		}
		for _, want := range tc.is {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v does not match %v", name, err, want)
			}
		}
		for _, other := range tc.isNot {
			if errors.Is(err, other) {
				t.Errorf("%s: %v matches %v", name, err, other)
			}
		}
	}
}

// The contexts of the caller over a real connection.
func TestCallersContext(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{}, 10)
	client, _ := configured(t, &bare{deploy: func(ctx context.Context, _ sdk.DeployRequest) (sdk.Handle, error) {
		entered <- struct{}{}
		<-ctx.Done()
		return sdk.Handle{}, fmt.Errorf("deploy: %w", ctx.Err())
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := client.Deploy(ctx, deployAt("a", 1)); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sdk.ErrPluginGone) {
		t.Errorf("deadline: %v", err)
	}
	<-entered
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	if _, err := client.Deploy(ctx, deployAt("b", 1)); !errors.Is(err, context.Canceled) || errors.Is(err, sdk.ErrPluginGone) {
		t.Errorf("cancel: %v", err)
	}
}

func TestPluginGone(t *testing.T) {
	t.Parallel()
	conn, err := wire.Dial("/nonexistent/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Client().Deploy(t.Context(), deployAt("a", 1)); !errors.Is(err, sdk.ErrPluginGone) {
		t.Errorf("error %v", err)
	}
	if got := conn.Client().Capabilities(); got != (sdk.Capabilities{}) {
		t.Errorf("capabilities of nobody: %+v", got)
	}
}
