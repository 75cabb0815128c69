package wire

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
)

type watchStream = grpc.ServerStreamingServer[pluginv1.WatchResponse]

// Watch follows an operation until its outcome, or without one what runs. The
// end of the stream ends the platform's watching and never the operation.
func (s *Server) Watch(r *pluginv1.WatchRequest, stream watchStream) error {
	ctx := stream.Context()
	return s.guardStream(ctx, "Watch", func() error {
		if err := s.look(r); err != nil {
			return err
		}
		watch, err := s.watching(r)
		if err != nil {
			return err
		}
		return s.follow(ctx, r, stream, watch)
	})
}

// watching chooses the platform's call.
func (s *Server) watching(r *pluginv1.WatchRequest) (func(context.Context, sdk.Sink) error, error) {
	target, handle := targetFromProto(r.GetTarget()), handleFromProto(r.GetHandle())
	if r.GetOperation() != nil {
		request := sdk.WatchRequest{
			Target: target, Handle: handle, Operation: operationFromProto(r.GetOperation()), ResumeToken: r.GetResumeToken(),
		}
		return func(ctx context.Context, sink sdk.Sink) error { return s.platform.Watch(ctx, request, sink) }, nil
	}
	watcher, ok := s.platform.(sdk.TargetWatcher)
	if !ok {
		return nil, unsupported("Watch without an operation")
	}
	request := sdk.WatchTargetRequest{Target: target, Handle: handle, ResumeToken: r.GetResumeToken()}
	return func(ctx context.Context, sink sdk.Sink) error { return watcher.WatchTarget(ctx, request, sink) }, nil
}

// follow runs the platform's side and sends what it queues. It does not wait
// for a platform that goes on after the end of the stream; [Server.Wait] does.
func (s *Server) follow(
	ctx context.Context, r *pluginv1.WatchRequest, stream watchStream, watch func(context.Context, sdk.Sink) error,
) error {
	q := newQueue()
	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer q.end()
	done := make(chan error, 1)
	s.streams.Go(func() {
		done <- s.runWatch(watchCtx, r, q, watch)
		if late := q.lateEvents(); late > 0 {
			s.log.Error("plugin bug: events after the outcome were not sent",
				"operation", r.GetOperation().GetId(), "events", late)
		}
	})
	err := s.send(ctx, r, stream, q, done)
	if err == nil && r.GetOperation() != nil {
		s.life.ended(r.GetOperation().GetId())
	}
	if errors.Is(err, errNoOutcome) {
		// A broken stream by the contract: it ends without the outcome, and the
		// host opens it again.
		s.log.Error("plugin bug: Watch returned without an outcome", "operation", r.GetOperation().GetId())
		return nil
	}
	return err
}

var errNoOutcome = errors.New("watch ended without an outcome")

func (s *Server) runWatch(
	ctx context.Context, r *pluginv1.WatchRequest, q *queue, watch func(context.Context, sdk.Sink) error,
) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = s.panicked("Watch", value)
		}
	}()
	var begun atomic.Bool // a platform may send from several goroutines
	begun.Store(len(r.GetResumeToken()) > 0)
	return watch(ctx, func(events ...sdk.Event) error {
		if r.GetOperation() == nil && slices.ContainsFunc(events, hasOutcome) {
			s.log.Error("plugin bug: an outcome on a stream without operation was not sent")
			events = slices.DeleteFunc(slices.Clone(events), hasOutcome)
		}
		if len(events) > 0 && !begun.Load() && !begun.Swap(true) && events[0].State == nil {
			s.log.Error("plugin bug: the first event of a fresh stream is not a State", "operation", r.GetOperation().GetId())
		}
		return q.push(ctx, events, time.Now())
	})
}

func hasOutcome(e sdk.Event) bool { return e.Outcome != nil }

// send is the only one that writes to the stream.
func (s *Server) send(ctx context.Context, r *pluginv1.WatchRequest, stream watchStream, q *queue, done <-chan error) error {
	silence := time.NewTimer(s.heartbeat)
	defer silence.Stop()
	for {
		last, err := flush(stream, q, func() { silence.Reset(s.heartbeat) })
		if err != nil || last {
			return err
		}
		if failure := q.failed(); failure != nil {
			return failure
		}
		select {
		case <-q.ready:
		case <-silence.C:
			if err := stream.Send(heartbeat()); err != nil {
				return err
			}
			silence.Reset(s.heartbeat)
		case err := <-done:
			last, flushErr := flush(stream, q, func() {})
			switch {
			case flushErr != nil || last:
				return flushErr
			case q.failed() != nil:
				return q.failed()
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			default:
				return errNoOutcome
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// flush sends all that waits.
func flush(stream watchStream, q *queue, sent func()) (last bool, err error) {
	for {
		batch, last := q.take()
		if batch == nil {
			return false, nil
		}
		if err := stream.SendMsg(batch); err != nil || last {
			return last, err
		}
		sent()
	}
}

func (q *queue) failed() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.failure
}

func heartbeat() *pluginv1.WatchResponse {
	return &pluginv1.WatchResponse{Events: []*pluginv1.WatchEvent{{
		ObservedAt: timestamppb.Now(), Event: &pluginv1.WatchEvent_Heartbeat{Heartbeat: &pluginv1.Heartbeat{}},
	}}}
}
