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
// events, and the resources and log lines that they point to, are those of one
// message until the next is decoded.
type batch struct {
	events    []sdk.Event
	resources stock[sdk.Resource]
	logs      stock[sdk.LogLine]
}

// stock is values that are used again with the next message.
type stock[T any] struct {
	all  []*T
	used int
}

func (s *stock[T]) take() *T {
	if s.used == len(s.all) {
		s.all = append(s.all, new(T))
	}
	s.used++
	return s.all[s.used-1]
}

func (s *stock[T]) reset() {
	if len(s.all) > maxKept {
		s.all, s.used = nil, 0
	}
	var zero T
	for _, one := range s.all[:s.used] {
		*one = zero
	}
	s.used = 0
}

// maxKept is the most that are used again: a plugin may send more at once than ours
// does.
const maxKept = 4 * maxBatch

// maxTogether is the largest message whose texts are parts of one string.
const maxTogether = 64 << 10

func (b *batch) decode(whole []byte) error {
	if cap(b.events) > maxKept {
		b.events = nil
	}
	clear(b.events)
	b.events = b.events[:0]
	b.resources.reset()
	b.logs.reset()
	if b.events == nil {
		b.events = make([]sdk.Event, 0, min(maxBatch, len(whole)/leastEvent+1))
	}
	var token []byte
	var text string
	if len(whole) <= maxTogether {
		text = string(whole)
	}
	for data := whole; len(data) > 0; {
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
			own := ""
			if end := len(whole) - len(data); text != "" {
				own = text[end-len(value) : end]
			}
			event, err := b.event(value, own)
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
