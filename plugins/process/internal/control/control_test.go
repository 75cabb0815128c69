package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/record"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve returns the state by which the server is found.
func serve(t *testing.T, handler control.Handler) *state.State {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	server := control.Serve(listener, "nonce", handler)
	t.Cleanup(server.Close)
	return &state.State{Nonce: "nonce", Shim: state.Shim{Socket: path}}
}

func TestErrorsArriveWhole(t *testing.T) {
	t.Parallel()
	want := &sdk.Error{Code: sdk.Aborted, Reason: sdk.ReasonStateChanged, Message: "m", Resource: "r", By: "x", Metadata: map[string]string{"k": "v"}}
	st := serve(t, func(context.Context, control.Request, func(control.Response) error) error { return want })
	err := control.Call(t.Context(), st, control.Request{}, nil)
	var got *sdk.Error
	if !errors.As(err, &got) || !cmp.Equal(got, want) {
		t.Errorf("got %+v, want %+v", err, want)
	}
}

func TestOnlyTheRealShimIsBelieved(t *testing.T) {
	t.Parallel()
	st := serve(t, func(_ context.Context, _ control.Request, send func(control.Response) error) error {
		return send(control.Response{Result: json.RawMessage(`"answer"`), End: true})
	})
	var answer string
	if err := control.Call(t.Context(), st, control.Request{}, &answer); err != nil || answer != "answer" {
		t.Errorf("%q %v", answer, err)
	}
	for name, other := range map[string]*state.State{
		"another shim": {Nonce: "other", Shim: st.Shim},
		"no shim":      {Nonce: "nonce", Shim: state.Shim{Socket: st.Shim.Socket + "x"}},
	} {
		if err := control.Call(t.Context(), other, control.Request{}, nil); !errors.Is(err, control.ErrNoShim) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHangingUp(t *testing.T) {
	t.Parallel()
	closing := serve(t, func(context.Context, control.Request, func(control.Response) error) error { return control.ErrClosing })
	if err := control.Call(t.Context(), closing, control.Request{}, nil); !errors.Is(err, control.ErrNoShim) {
		t.Errorf("a shim that closes: %v", err)
	}
	half := serve(t, func(_ context.Context, _ control.Request, send func(control.Response) error) error {
		if err := send(control.Response{}); err != nil {
			return err
		}
		return control.ErrClosing
	})
	if err := control.Call(t.Context(), half, control.Request{}, nil); !errors.Is(err, control.ErrBroken) {
		t.Errorf("a shim that ends in the middle: %v", err)
	}
}

// TestEarlierRequestsLandFirst has a request wait in the server while a later
// one asks to be told when all before it were taken in.
func TestEarlierRequestsLandFirst(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	landed := false
	st := serve(t, func(ctx context.Context, request control.Request, send func(control.Response) error) error {
		if request.Method == control.Start {
			close(entered)
			<-leave
			landed = true
			control.Settle(ctx)
			<-ctx.Done() // its client was killed; the connection hangs on
			return ctx.Err()
		}
		if err := control.WaitEarlier(ctx); err != nil {
			return err
		}
		data, err := json.Marshal(landed)
		if err != nil {
			return err
		}
		return send(control.Response{Result: data, End: true})
	})
	killed, kill := context.WithCancel(t.Context())
	defer kill()
	gone := make(chan error, 1)
	go func() { gone <- control.Call(killed, st, control.Request{Method: control.Start}, nil) }()
	<-entered
	answer := make(chan error, 1)
	seen := false
	go func() { answer <- control.Call(t.Context(), st, control.Request{Method: control.Recover}, &seen) }()
	select {
	case err := <-answer:
		t.Fatalf("answered before the earlier request landed: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(leave)
	if err := <-answer; err != nil || !seen {
		t.Errorf("landed %v, %v", seen, err)
	}
	kill()
	<-gone
}

// TestEncoding pins what an older shim says and a newer plugin reads: a change
// of these bytes needs another protocol version.
func TestEncoding(t *testing.T) {
	t.Parallel()
	request, err := json.Marshal(control.Request{
		Protocol: 1, Nonce: "n", Method: control.Promote, Percent: 10,
		Operation: &control.Operation{ID: "a", Kind: sdk.OperationDeploy, Digest: "d", Epoch: 3, Staged: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	const wantRequest = `{"protocol":1,"nonce":"n","method":"promote","identity":{"installation":"","application":"","environment":"","component":""},` +
		`"operation":{"id":"a","kind":1,"digest":"d","epoch":3,"staged":true},"percent":10}`
	if diff := cmp.Diff(wantRequest, string(request)); diff != "" {
		t.Error(diff)
	}
	const response = `{"proof":"p","events":[{"Candidate":{"Addresses":{"http":"127.0.0.1:1"},"Revision":"v2","Percent":50},"ResumeToken":"eDox"},` +
		`{"Outcome":{"Result":2,"Message":"m","Failure":{"Code":"EXITED","Resource":"process-1-1","Logs":[{"Line":"l","Previous":true}]}}}]}`
	var got control.Response
	if err := json.Unmarshal([]byte(response), &got); err != nil {
		t.Fatal(err)
	}
	want := []sdk.Event{
		{Candidate: &sdk.Candidate{Addresses: map[string]string{"http": "127.0.0.1:1"}, Revision: "v2", Percent: 50}, ResumeToken: []byte("x:1")},
		{Outcome: &sdk.Outcome{Result: sdk.ResultFailed, Message: "m", Failure: &sdk.Failure{
			Code: "EXITED", Resource: "process-1-1", Logs: []sdk.LogLine{{Line: "l", Previous: true}},
		}}},
	}
	if diff := cmp.Diff(want, record.ToEvents(got.Events)); diff != "" {
		t.Error(diff)
	}
}
