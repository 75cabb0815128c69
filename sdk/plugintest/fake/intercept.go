package fake

import (
	"context"
	"math"
	"path"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/wire"
)

// GRPCServerOptions lets faults strike beneath the SDK, which would not let them
// pass: sdk/wire asks for it.
func (p *faulty) GRPCServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.UnaryInterceptor(p.unary), grpc.StreamInterceptor(p.stream), grpc.MaxSendMsgSize(math.MaxInt32),
	}
}

// momentOf says in which call a request is, and about what.
func momentOf(method string, request any) moment {
	m := moment{call: strings.ToLower(path.Base(method))}
	if with, ok := request.(interface{ GetTarget() *pluginv1.Target }); ok {
		t := with.GetTarget()
		m.target = sdk.Target{
			Application: t.GetApplication(), Environment: t.GetEnvironment(), Component: t.GetComponent(), Version: t.GetVersion(),
		}
	}
	if with, ok := request.(interface{ GetOperation() *pluginv1.Operation }); ok {
		m.kind = sdk.OperationKind(with.GetOperation().GetKind())
		if with.GetOperation() == nil && m.call == callWatch {
			m.call = callWatchTarget
		}
	}
	return m
}

func ours(method string) bool { return strings.HasPrefix(method, "/apm.plugin.v1.Platform/") }

func (p *faulty) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if !ours(info.FullMethod) {
		return handler(ctx, request)
	}
	m := momentOf(info.FullMethod, request)
	if err := p.faults.befall(ctx, m); err != nil {
		return nil, err
	}
	response, err := handler(ctx, request)
	m.after = true
	if dead := p.faults.befall(ctx, m); dead != nil {
		return nil, dead
	}
	if message, ok := response.(proto.Message); ok && err == nil {
		return p.mangle(m, message), nil
	}
	return response, err
}

func (p *faulty) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if !ours(info.FullMethod) {
		return handler(server, stream)
	}
	s := &faultyStream{ServerStream: stream, platform: p, method: info.FullMethod}
	err := handler(server, s)
	if err == nil {
		m := s.moment
		m.after = true
		err = p.faults.befall(stream.Context(), m)
	}
	return err
}

// faultyStream is one answer of Watch, Logs or Health.
type faultyStream struct {
	grpc.ServerStream

	platform *faulty
	method   string
	moment   moment
	sent     int
}

// RecvMsg reads the one request.
func (s *faultyStream) RecvMsg(request any) error {
	if err := s.ServerStream.RecvMsg(request); err != nil {
		return err
	}
	s.moment = momentOf(s.method, request)
	return s.platform.faults.befall(s.Context(), s.moment)
}

// SendMsg sends one answer, and has strike what is to strike after it.
func (s *faultyStream) SendMsg(response any) error {
	if s.platform.faults.none() {
		return s.ServerStream.SendMsg(response)
	}
	message, err := wire.Opened(response)
	if err != nil {
		return err
	}
	m := s.moment
	if err := s.ServerStream.SendMsg(s.platform.mangle(m, message)); err != nil {
		return err
	}
	batch, ok := message.(*pluginv1.WatchResponse)
	if !ok {
		return nil
	}
	for _, event := range batch.GetEvents() {
		if event.GetHeartbeat() != nil {
			continue
		}
		s.sent++
		m.sent = s.sent
		if err := s.platform.faults.befall(s.Context(), m); err != nil {
			return err
		}
		if one, fails := s.platform.faults.first(m, kindError); fails {
			return one.failure()
		}
	}
	return nil
}
