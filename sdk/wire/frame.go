package wire

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/apm-deploy/apm/sdk"
)

// The fields of WatchResponse.
const (
	fieldEvents      protowire.Number = 1
	fieldResumeToken protowire.Number = 2
)

// frame is a WatchResponse on its way out: events that are encoded already, one
// after the other, because they wait in a queue and are counted in bytes.
type frame struct {
	data   []byte
	events int
}

// newFrame returns a frame with room for so many bytes, which gRPC gives back when
// they are sent.
func newFrame(size int) *frame {
	data := mem.DefaultBufferPool().Get(size)
	return &frame{data: (*data)[:0]}
}

func (f *frame) add(event []byte) {
	f.data = protowire.AppendTag(f.data, fieldEvents, protowire.BytesType)
	f.data = protowire.AppendBytes(f.data, event)
	f.events++
}

func (f *frame) resume(token []byte) {
	f.data = protowire.AppendTag(f.data, fieldResumeToken, protowire.BytesType)
	f.data = protowire.AppendBytes(f.data, token)
}

// leastEvent is about what an event takes at least, to guess how many there are.
const leastEvent = 32

// batch is a WatchResponse that arrived. Its last event has the resume token. The
// events are those of one message until the next is decoded; what they point to is
// nobody else's.
type batch struct{ events []sdk.Event }

func (b *batch) decode(data []byte) error {
	var token []byte
	var kept store
	clear(b.events)
	b.events = b.events[:0]
	if b.events == nil {
		b.events = make([]sdk.Event, 0, min(maxBatch, len(data)/leastEvent+1))
	}
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, data); n < 0 {
				return protowire.ParseError(n)
			}
			data = data[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		switch number {
		case fieldEvents:
			event, err := decodeEvent(value, &kept)
			if err != nil {
				return err
			}
			b.events = append(b.events, event)
		case fieldResumeToken:
			token = append([]byte{}, value...)
		}
	}
	if len(b.events) > 0 && len(token) > 0 {
		b.events[len(b.events)-1].ResumeToken = token
	}
	return nil
}

// codec is gRPC's own for protobuf, but for the messages of Watch, which come by
// the hundred thousand.
type codec struct {
	encoding.CodecV2
	repair bool // text that is not UTF-8, and not refuse it
}

func newCodec(repair bool) codec { return codec{encoding.GetCodecV2(protocodec.Name), repair} }

// Marshal encodes a message. protobuf looks at every text in any case, so only a
// message that it refuses is looked at again.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if out, ok := v.(*frame); ok {
		return mem.BufferSlice{mem.NewBuffer(&out.data, mem.DefaultBufferPool())}, nil
	}
	data, err := c.CodecV2.Marshal(v)
	message, ok := v.(proto.Message)
	if err == nil || !ok || !c.repair {
		return data, err
	}
	sanitize(message.ProtoReflect())
	return c.CodecV2.Marshal(v)
}

// Unmarshal decodes a message.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	in, ok := v.(*batch)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	if err := in.decode(whole.ReadOnlyData()); err != nil {
		return fmt.Errorf("decode WatchResponse: %w", err)
	}
	return nil
}
