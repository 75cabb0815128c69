package fake

import (
	"context"
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
	return append(p.limits(), grpc.UnaryInterceptor(p.unary), grpc.StreamInterceptor(p.stream))
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
	if answer, ours := p.instead(m); ours {
		return answer, nil
	}
	response, err := handler(ctx, request)
	if err != nil {
		response, err = p.despite(m, err)
	}
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
	p := s.platform
	if p.faults.none() {
		return s.ServerStream.SendMsg(response)
	}
	message, err := wire.Opened(response)
	if err != nil {
		return err
	}
	if p.silent(message) {
		return nil
	}
	batch, ok := message.(*pluginv1.WatchResponse)
	if !ok || !p.faults.counts(s.moment) {
		if err := s.ServerStream.SendMsg(p.mangle(s.moment, message)); err != nil {
			return err
		}
		if more, ok := p.more(message); ok {
			return s.ServerStream.SendMsg(more)
		}
		return nil
	}
	return s.sendEach(batch)
}

// sendEach sends the events of a batch one by one, so that what strikes after one
// of them strikes before the next.
func (s *faultyStream) sendEach(batch *pluginv1.WatchResponse) error {
	for i, event := range batch.GetEvents() {
		one := &pluginv1.WatchResponse{Events: []*pluginv1.WatchEvent{event}}
		if i == len(batch.GetEvents())-1 {
			one.ResumeToken = batch.GetResumeToken()
		}
		if err := s.ServerStream.SendMsg(s.platform.mangle(s.moment, one)); err != nil {
			return err
		}
		if event.GetHeartbeat() != nil {
			continue
		}
		s.sent++
		m := s.moment
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
