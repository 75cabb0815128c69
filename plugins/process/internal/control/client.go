package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// ErrNoShim is matched where no shim answered: there is none, or it ended
// before it said anything. What was asked for may be asked again, of a new one.
var ErrNoShim = errors.New("no shim answers")

// ErrBroken is matched where the shim ended in the middle of its answer.
var ErrBroken = errors.New("shim ended in the middle of its answer")

const dialTimeout = 2 * time.Second

// Call sends a request to the shim that st speaks of, and returns its answer.
// Errors of the shim are *sdk.Error.
func Call(ctx context.Context, st *state.State, request Request, result any) error {
	return Stream(ctx, st, request, func(response Response) error {
		if result == nil || response.Result == nil {
			return nil
		}
		if err := json.Unmarshal(response.Result, result); err != nil {
			return fmt.Errorf("read answer of shim: %w", err)
		}
		return nil
	})
}

// Stream sends a request and hands every line of the answer to each, until the
// last one.
func Stream(ctx context.Context, st *state.State, request Request, each func(Response) error) error {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "unix", st.Shim.Socket)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoShim, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	request.Protocol, request.Nonce = Protocol, st.Nonce
	if err := json.NewEncoder(conn).Encode(request); err != nil {
		return lost(ctx, err)
	}
	decoder := json.NewDecoder(bufio.NewReader(conn))
	for first := true; ; first = false {
		var response Response
		if err := decoder.Decode(&response); err != nil {
			if first {
				return lost(ctx, err)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%w: %w", ErrBroken, err)
		}
		if first && response.Proof != Proof(st.Nonce) {
			return fmt.Errorf("%w: what answers at %q is another", ErrNoShim, st.Shim.Socket)
		}
		if e := response.Error; e != nil {
			return &sdk.Error{
				Code: e.Code, Reason: e.Reason, Message: e.Message, Resource: e.Resource, By: e.By, Metadata: e.Metadata,
				Retryable: e.Code == sdk.Unavailable,
			}
		}
		if err := each(response); err != nil || response.End {
			return err
		}
	}
}

func lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ErrNoShim, err)
}
