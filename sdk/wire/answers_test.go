package wire_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/apm-deploy/apm/sdk/wire"
)

// noLimits makes a client that breaks the limits.
var noLimits = wire.WithoutLimits()

var errEnough = errors.New("enough")

// answers is a connection on which every call has one answer.
type answers struct{ message proto.Message }

func (a answers) Invoke(_ context.Context, _ string, _, reply any, _ ...grpc.CallOption) error {
	proto.Merge(reply.(proto.Message), a.message)
	return nil
}

func (answers) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("no streams here")
}

// hanging is a client whose calls end with their contexts only. The first one
// says so.
func hanging(t *testing.T, said chan<- struct{}) *wire.Client {
	t.Helper()
	return wire.NewClient(&silent{said: said})
}

type silent struct {
	answers

	once sync.Once
	said chan<- struct{}
}

func (s *silent) Invoke(ctx context.Context, _ string, _, _ any, _ ...grpc.CallOption) error {
	s.once.Do(func() { close(s.said) })
	<-ctx.Done()
	return ctx.Err()
}
