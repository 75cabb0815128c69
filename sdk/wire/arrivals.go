package wire

import (
	"context"

	"google.golang.org/grpc/stats"
)

// arrivals is a gRPC statistics handler that only reports new connections.
type arrivals struct{ connected func() }

func (a *arrivals) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (a *arrivals) HandleConn(_ context.Context, s stats.ConnStats) {
	if _, begins := s.(*stats.ConnBegin); begins {
		a.connected()
	}
}

func (a *arrivals) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (a *arrivals) HandleRPC(context.Context, stats.RPCStats) {}
