package wire

import (
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
)

// breacher is a platform that breaks the contract beneath this package, which
// would not let it: the fake one of the conformance suite.
type breacher interface {
	GRPCServerOptions() []grpc.ServerOption
}

// options are those of the gRPC server that serves the platform.
func (s *Server) options() []grpc.ServerOption {
	options := ServerOptions()
	if one, ok := s.platform.(breacher); ok {
		options = append(options, grpc.ForceServerCodecV2(rawCodec{newCodec(true)}))
		options = append(options, one.GRPCServerOptions()...)
	}
	return options
}

// Raw is an answer that goes out as it is, whatever it is. Only the server of a
// platform that breaks the contract on purpose sends it.
type Raw []byte

type rawCodec struct{ codec }

// Marshal encodes a message.
func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if out, ok := v.(Raw); ok {
		return mem.BufferSlice{mem.SliceBuffer(out)}, nil
	}
	return c.codec.Marshal(v)
}

var _ encoding.CodecV2 = rawCodec{}

// Opened returns an answer that is on its way out as the message that it is, for a
// platform that breaks the contract on purpose.
func Opened(answer any) (proto.Message, error) {
	switch out := answer.(type) {
	case proto.Message:
		return out, nil
	case *frame:
		var message pluginv1.WatchResponse
		return &message, proto.Unmarshal(out.data, &message)
	default:
		return nil, fmt.Errorf("open answer: a %T is no message of the contract", answer)
	}
}
