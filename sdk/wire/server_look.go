package wire

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
)

// Resolve freezes what is to run.
func (s *Server) Resolve(ctx context.Context, r *pluginv1.ResolveRequest) (*pluginv1.ResolveResponse, error) {
	return guard(ctx, s, "Resolve", func() (*pluginv1.ResolveResponse, error) {
		if err := s.life.check(); err != nil {
			return nil, err
		}
		release, diagnostics, err := s.platform.Resolve(ctx, sdk.ResolveRequest{Target: targetFromProto(r.GetTarget())})
		if err != nil {
			return nil, err
		}
		response := &pluginv1.ResolveResponse{Diagnostics: diagnosticsToProto(diagnostics)}
		if diagnostics.HasErrors() {
			return response, nil
		}
		if size := len(release.State); size > sdk.MaxRelease {
			return nil, pluginBug("the release has %d bytes, the limit is %d", size, sdk.MaxRelease)
		}
		response.Release = releaseToProto(&release)
		return response, nil
	})
}

// Snapshot keeps what runs.
func (s *Server) Snapshot(ctx context.Context, r *pluginv1.SnapshotRequest) (*pluginv1.SnapshotResponse, error) {
	return guard(ctx, s, "Snapshot", func() (*pluginv1.SnapshotResponse, error) {
		if err := s.look(r); err != nil {
			return nil, err
		}
		result, err := s.platform.Snapshot(ctx, sdk.SnapshotRequest{
			Target: targetFromProto(r.GetTarget()), Handle: handleFromProto(r.GetHandle()), Release: releaseFromProto(r.GetRelease()),
		})
		if err != nil {
			return nil, err
		}
		if size := len(result.Snapshot.State); size > sdk.MaxSnapshot {
			return nil, pluginBug("the snapshot has %d bytes, the limit is %d", size, sdk.MaxSnapshot)
		}
		return &pluginv1.SnapshotResponse{Snapshot: snapshotToProto(&result.Snapshot), ObservedDigest: result.ObservedDigest}, nil
	})
}

// Plan says what an operation would do.
func (s *Server) Plan(ctx context.Context, r *pluginv1.PlanRequest) (*pluginv1.PlanResponse, error) {
	return guard(ctx, s, "Plan", func() (*pluginv1.PlanResponse, error) {
		planner, ok := s.platform.(sdk.Planner)
		if !ok {
			return nil, unsupported("Plan")
		}
		if err := s.look(r); err != nil {
			return nil, err
		}
		plan, err := planner.Plan(ctx, sdk.PlanRequest{
			Kind: sdk.OperationKind(r.GetKind()), Target: targetFromProto(r.GetTarget()),
			Release: releaseFromProto(r.GetRelease()), Snapshot: snapshotFromProto(r.GetSnapshot()),
		})
		if err != nil {
			return nil, err
		}
		return planToProto(plan), nil
	})
}

// Probe looks once.
func (s *Server) Probe(ctx context.Context, r *pluginv1.ProbeRequest) (*pluginv1.ProbeResponse, error) {
	return guard(ctx, s, "Probe", func() (*pluginv1.ProbeResponse, error) {
		if err := s.look(r); err != nil {
			return nil, err
		}
		result, err := s.platform.Probe(ctx, sdk.ProbeRequest{
			Target: targetFromProto(r.GetTarget()), Handle: handleFromProto(r.GetHandle()),
		})
		if err != nil {
			return nil, err
		}
		return probeToProto(result), nil
	})
}

// look is the gate of every call that changes nothing.
func (s *Server) look(r any) error {
	if err := s.life.check(); err != nil {
		return err
	}
	return checkRequestLimits(r)
}

// Health follows the platform. Of a platform that reports nothing it says once
// that it was configured, and stays silent.
func (s *Server) Health(_ *pluginv1.HealthRequest, stream grpc.ServerStreamingServer[pluginv1.HealthResponse]) error {
	ctx := stream.Context()
	return s.guardStream(ctx, "Health", func() error {
		if err := s.life.check(); err != nil {
			return err
		}
		var mu sync.Mutex
		report := func(h sdk.Health) error {
			response := &pluginv1.HealthResponse{
				State: pluginv1.HealthResponse_State(h.State), Description: h.Description, Attributes: h.Attributes,
			}
			mu.Lock()
			defer mu.Unlock()
			return stream.Send(response)
		}
		reporter, ok := s.platform.(sdk.HealthReporter)
		if ok {
			return reporter.Health(ctx, report)
		}
		err := report(sdk.Health{
			State: sdk.HealthHealthy, Description: "configured; the plugin does not follow its platform's health",
		})
		if err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
}

// maxLogBytes bounds one message of Logs.
const maxLogBytes = 1 << 20

// Logs sends log lines in messages of at most maxLogBytes or so.
func (s *Server) Logs(r *pluginv1.LogsRequest, stream grpc.ServerStreamingServer[pluginv1.LogsResponse]) error {
	ctx := stream.Context()
	return s.guardStream(ctx, "Logs", func() error {
		reader, ok := s.platform.(sdk.LogReader)
		if !ok {
			return unsupported("Logs")
		}
		if err := s.look(r); err != nil {
			return err
		}
		var mu sync.Mutex
		return reader.Logs(ctx, sdk.LogsRequest{
			Target: targetFromProto(r.GetTarget()), Handle: handleFromProto(r.GetHandle()), Resource: r.GetResource(),
			Since: timeFromProto(r.GetSince()), Tail: int(r.GetTail()), Follow: r.GetFollow(), Previous: r.GetPrevious(),
		}, func(lines ...sdk.LogLine) error {
			mu.Lock()
			defer mu.Unlock()
			return sendLines(stream, lines)
		})
	})
}

func sendLines(stream grpc.ServerStreamingServer[pluginv1.LogsResponse], lines []sdk.LogLine) error {
	response, size := &pluginv1.LogsResponse{}, 0
	for i, line := range lines {
		out := logToProto(line)
		response.Lines = append(response.Lines, out)
		size += proto.Size(out)
		if size < maxLogBytes && i < len(lines)-1 {
			continue
		}
		if err := stream.Send(response); err != nil {
			return err
		}
		response, size = &pluginv1.LogsResponse{}, 0
	}
	return nil
}

// guardStream is guard for a call that streams its answers by itself.
func (s *Server) guardStream(ctx context.Context, method string, call func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = statusOf(ctx, s.panicked(method, value))
		}
	}()
	if err = call(); err != nil {
		s.logCause(method, err)
	}
	return statusOf(ctx, err)
}
