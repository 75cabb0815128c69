package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
)

// Watch follows an operation. The sink gets one batch of the plugin per call,
// with the resume token on its last event, heartbeats included; the slice, and the
// Resource or Log that an event points to, are the stream's again when the sink
// returns: keep a Clone. A stream that
// ends without an outcome is an error that matches io.ErrUnexpectedEOF, one that
// is silent for too long matches [sdk.ErrPluginGone]; both may be reopened. The
// sink's own error ends the stream and is returned as it is.
func (c *Client) Watch(ctx context.Context, r sdk.WatchRequest, sink sdk.Sink) error {
	return c.watch(ctx, &pluginv1.WatchRequest{
		Target: targetToProto(r.Target), Handle: handleToProto(r.Handle),
		Operation: operationToProto(r.Operation), ResumeToken: r.ResumeToken,
	}, sink)
}

// WatchTarget follows what runs, until ctx ends.
func (c *Client) WatchTarget(ctx context.Context, r sdk.WatchTargetRequest, sink sdk.Sink) error {
	return c.watch(ctx, &pluginv1.WatchRequest{
		Target: targetToProto(r.Target), Handle: handleToProto(r.Handle), ResumeToken: r.ResumeToken,
	}, sink)
}

func (c *Client) watch(ctx context.Context, request *pluginv1.WatchRequest, sink sdk.Sink) error {
	done := false
	err := stream(ctx, c, "Watch", c.silence, c.openWatch, request, func(arrived *batch) (bool, error) {
		events := arrived.events
		if len(events) == 0 {
			return false, nil
		}
		if err := sink(events...); err != nil {
			return false, err
		}
		done = events[len(events)-1].Outcome != nil
		return done, nil
	})
	if err == nil && !done {
		return fmt.Errorf("watch operation %q: stream ended without an outcome: %w", request.GetOperation().GetId(), io.ErrUnexpectedEOF)
	}
	return err
}

// openWatch is Watch with messages that are not decoded by reflection.
func (c *Client) openWatch(ctx context.Context, request *pluginv1.WatchRequest, options ...grpc.CallOption) (batches, error) {
	opened, err := c.rpc.Watch(ctx, request, options...)
	return batches{opened, new(batch)}, err
}

// batches is a stream of Watch.
type batches struct {
	stream  grpc.ServerStreamingClient[pluginv1.WatchResponse]
	arrived *batch
}

// Recv returns the next batch, which lives until the one after it.
func (b batches) Recv() (*batch, error) { return b.arrived, b.stream.RecvMsg(b.arrived) }

// Logs reads log lines. It returns nil when there are no more.
func (c *Client) Logs(ctx context.Context, r sdk.LogsRequest, send func(lines ...sdk.LogLine) error) error {
	request := &pluginv1.LogsRequest{
		Target: targetToProto(r.Target), Handle: handleToProto(r.Handle), Resource: r.Resource,
		Since: timeToProto(r.Since), Tail: uint32(max(0, r.Tail)), Follow: r.Follow, Previous: r.Previous,
	}
	return stream(ctx, c, "Logs", 0, c.rpc.Logs, request, func(response *pluginv1.LogsResponse) (bool, error) {
		return false, send(mapEach(response.GetLines(), logFromProto)...)
	})
}

// Health follows the health of the platform until ctx ends.
func (c *Client) Health(ctx context.Context, report func(sdk.Health) error) error {
	err := stream(ctx, c, "Health", 0, c.rpc.Health, &pluginv1.HealthRequest{}, func(h *pluginv1.HealthResponse) (bool, error) {
		return false, report(sdk.Health{
			State: sdk.HealthState(h.GetState()), Description: h.GetDescription(), Attributes: h.GetAttributes(),
		})
	})
	if err == nil {
		return fmt.Errorf("follow health: stream ended: %w", io.ErrUnexpectedEOF)
	}
	return err
}

var errSilence = errors.New("silent for too long")

// stream reads a stream until it ends, take says that it is done, or an error.
// silence bounds the wait for one message, 0 does not; the time that take needs
// does not count.
func stream[Q proto.Message, R any, S interface{ Recv() (R, error) }](
	ctx context.Context, c *Client, method string, silence time.Duration,
	open func(context.Context, Q, ...grpc.CallOption) (S, error), request Q, take func(R) (bool, error),
) error {
	if err := c.check(method, request); err != nil {
		return err
	}
	streamCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	answers := newReading()
	opened, err := open(streamCtx, request, grpc.ForceCodecV2(answers))
	if err != nil {
		return c.failed(ctx, method, request, err, false)
	}
	for {
		response, err := receive(opened, silence, func() { cancel(errSilence) })
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && errors.Is(context.Cause(streamCtx), errSilence):
			return fmt.Errorf("call %s: %w: nothing was heard for %v", method, sdk.ErrPluginGone, silence)
		case err != nil:
			if bug := answers.nonsense(method); bug != nil {
				return bug
			}
			return errorOf(ctx, method, err, false)
		}
		if done, err := take(response); err != nil || done {
			return err
		}
	}
}

func receive[R any](opened interface{ Recv() (R, error) }, silence time.Duration, silent func()) (R, error) {
	if silence > 0 {
		timer := time.AfterFunc(silence, silent)
		defer timer.Stop()
	}
	return opened.Recv()
}
