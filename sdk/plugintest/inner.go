package plugintest

import (
	"google.golang.org/grpc"

	"github.com/apm-deploy/apm/sdk"
)

// inner is the plugin's platform within one of the suite's, which takes the place of
// some of its calls. What the platform does beneath the SDK, as only the fake one
// does, it goes on to do.
type inner struct{ sdk.Platform }

// GRPCServerOptions is what sdk/wire asks for.
func (i inner) GRPCServerOptions() []grpc.ServerOption {
	if beneath, ok := i.Platform.(interface{ GRPCServerOptions() []grpc.ServerOption }); ok {
		return beneath.GRPCServerOptions()
	}
	return nil
}
