package wire_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/wire"
)

// garbler answers with what is no message.
type garbler struct{ full }

// GRPCServerOptions take the place of all but the answers of Describe and Configure.
func (*garbler) GRPCServerOptions() []grpc.ServerOption {
	nonsense := wire.Raw("\x0a\x7fcut off")
	return []grpc.ServerOption{
		grpc.UnaryInterceptor(func(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if strings.HasSuffix(info.FullMethod, "/Deploy") {
				return nonsense, nil
			}
			return next(ctx, request)
		}),
		grpc.StreamInterceptor(func(_ any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, _ grpc.StreamHandler) error {
			return stream.SendMsg(nonsense)
		}),
	}
}

// A plugin whose answer cannot be read is there, and has a bug. Who took it for gone
// would restart it, and ask again for as long as it may.
func TestAnswerThatCannotBeRead(t *testing.T) {
	t.Parallel()
	client, _ := configured(t, &garbler{})
	for name, call := range map[string]func() error{
		"Deploy": func() error {
			_, err := client.Deploy(t.Context(), deployAt("one", 1))
			return err
		},
		"Health": func() error {
			return client.Health(t.Context(), func(sdk.Health) error { return nil })
		},
		"Watch": func() error {
			return client.Watch(t.Context(), sdk.WatchRequest{Target: target(), Operation: sdk.Operation{ID: "one"}}, func(...sdk.Event) error { return nil })
		},
	} {
		err := call()
		var bug *sdk.Error
		if !errors.As(err, &bug) || bug.Code != sdk.Internal || bug.Reason != sdk.ReasonPluginBug || errors.Is(err, sdk.ErrPluginGone) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := "the answer of " + name + " cannot be read: "; !strings.Contains(bug.Message, want) {
			t.Errorf("%s: %q does not say %q", name, bug.Message, want)
		}
	}
}
