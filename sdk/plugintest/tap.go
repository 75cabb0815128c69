package plugintest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
)

// tap sees every message of a plugin, in whatever case, and remembers the places
// where a secret stands open. The states of handles, releases and snapshots are
// bytes, which the host seals, and may hold one.
type tap struct {
	secrets []string

	mu    sync.Mutex
	leaks []string // where, each place once
	bad   []string // messages that are not what protobuf allows
}

// conn is a connection that the tap listens to.
func (p *tap) conn(conn *grpc.ClientConn) grpc.ClientConnInterface { return tapped{conn, p} }

type tapped struct {
	*grpc.ClientConn
	tap *tap
}

func (c tapped) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	err := c.ClientConn.Invoke(ctx, method, args, reply, options...)
	if err != nil {
		c.tap.text("the error of "+nameOf(method), err.Error())
	}
	c.tap.message(method, reply)
	return err
}

func (c tapped) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, options ...grpc.CallOption) (grpc.ClientStream, error) {
	own := make([]grpc.CallOption, 0, len(options))
	for _, option := range options {
		if forced, ok := option.(grpc.ForceCodecV2CallOption); ok {
			option = grpc.ForceCodecV2(tappedCodec{forced.CodecV2, method, c.tap})
		}
		own = append(own, option)
	}
	stream, err := c.ClientConn.NewStream(ctx, desc, method, own...)
	return tappedStream{stream, method, c.tap}, err
}

// tappedCodec is for streams whose messages are decoded by hand.
type tappedCodec struct {
	encoding.CodecV2
	method string
	tap    *tap
}

func (c tappedCodec) Unmarshal(data mem.BufferSlice, v any) error {
	var response pluginv1.WatchResponse
	if _, ok := v.(proto.Message); !ok && nameOf(c.method) == "Watch" {
		if err := proto.Unmarshal(data.Materialize(), &response); err != nil {
			c.tap.broken(fmt.Sprintf("a message of Watch that other clients would refuse: %v", err))
		}
		c.tap.message(c.method, &response)
	}
	return c.CodecV2.Unmarshal(data, v)
}

type tappedStream struct {
	grpc.ClientStream
	method string
	tap    *tap
}

func (s tappedStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err != nil {
		s.tap.text("the error of "+nameOf(s.method), err.Error())
		return err
	}
	s.tap.message(s.method, m) // of a tappedCodec it is none
	return nil
}

func nameOf(method string) string { return method[strings.LastIndexByte(method, '/')+1:] }

func (p *tap) message(method string, m any) {
	if message, ok := m.(proto.Message); ok && len(p.secrets) > 0 {
		p.fields(nameOf(method), message.ProtoReflect())
	}
}

// fields looks at every text of a message. What a component itself writes is its
// own.
func (p *tap) fields(at string, m protoreflect.Message) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		at := at + "." + string(field.Name())
		switch {
		case field.FullName() == "apm.plugin.v1.LogLine.line":
		case field.IsMap():
			value.Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
				p.text(at, key.String())
				p.text(at, value.String())
				return true
			})
		case field.IsList():
			for i := range value.List().Len() {
				p.value(at, field, value.List().Get(i))
			}
		default:
			p.value(at, field, value)
		}
		return true
	})
}

func (p *tap) value(at string, field protoreflect.FieldDescriptor, value protoreflect.Value) {
	switch field.Kind() {
	case protoreflect.MessageKind:
		p.fields(at, value.Message())
	case protoreflect.StringKind:
		p.text(at, value.String())
	default:
	}
}

func (p *tap) text(at, text string) {
	for number, secret := range p.secrets {
		if secret != "" && strings.Contains(text, secret) {
			p.leak(fmt.Sprintf("secret %d of %d stands in %s", number+1, len(p.secrets), at))
		}
	}
}

func (p *tap) leak(where string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.leaks, where) {
		p.leaks = append(p.leaks, where)
	}
}

// found returns the places.
func (p *tap) found() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.leaks)
}

func (p *tap) broken(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.bad, what) {
		p.bad = append(p.bad, what)
	}
}

// refused returns what is not allowed on the wire.
func (p *tap) refused() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.bad)
}
