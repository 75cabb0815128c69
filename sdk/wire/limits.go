package wire

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/apm-deploy/apm/sdk"
)

// Times of the contract.
const (
	keepaliveTime    = 10 * time.Second
	keepaliveTimeout = 3 * time.Second
	keepaliveMinTime = 5 * time.Second
	// CloseTimeout bounds what a platform does at the end of its process: the host
	// waits 2 s for that.
	CloseTimeout = time.Second
	// HeartbeatInterval is the silence on Watch after which a heartbeat is sent.
	HeartbeatInterval = 15 * time.Second
	// SilenceLimit is the silence on Watch after which the host gives the
	// stream up and reopens it.
	SilenceLimit = 45 * time.Second
)

// Bytes on their way to the host: of one stream, and of all.
const (
	streamWindow = 512 << 10
	connWindow   = 2 << 20
)

// ServerOptions are the options of every gRPC server that serves a platform.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(sdk.MaxMessage),
		grpc.MaxSendMsgSize(sdk.MaxMessage),
		grpc.ForceServerCodecV2(newCodec(true)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMinTime, PermitWithoutStream: true}),
	}
}

// DialOptions are the options of every connection to a platform, without its
// credentials.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(sdk.MaxMessage),
			grpc.MaxCallSendMsgSize(sdk.MaxMessage),
		),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout, PermitWithoutStream: true,
		}),
		// Room for some batches of each stream: what a flood fills is bounded,
		// and the plugin does not stop for each of them.
		grpc.WithStaticStreamWindowSize(streamWindow),
		grpc.WithStaticConnWindowSize(connWindow),
		// The socket is on this machine: no proxy, no service config over DNS.
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
	}
}
