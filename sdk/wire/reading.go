package wire

import (
	"google.golang.org/grpc/mem"

	"github.com/apm-deploy/apm/sdk"
)

// reading is the codec of one call of a client. It keeps why an answer could not be
// read: gRPC makes a text of that, by which a plugin that answers nonsense cannot be
// told from one that is gone.
type reading struct {
	codec
	failed error
}

func newReading() *reading { return &reading{codec: newCodec(false)} }

// Unmarshal decodes a message.
func (r *reading) Unmarshal(data mem.BufferSlice, v any) error {
	err := r.codec.Unmarshal(data, v)
	if err != nil {
		r.failed = err
	}
	return err
}

// nonsense is the error of a call whose answer could not be read; nil where it could.
func (r *reading) nonsense(method string) error {
	if r.failed == nil {
		return nil
	}
	return sdk.Errorf(sdk.Internal, sdk.ReasonPluginBug, "the answer of %s cannot be read: %w", method, r.failed)
}
