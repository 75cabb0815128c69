package plugin_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"testing"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
	"github.com/apm-deploy/apm/sdk/serve"
	"github.com/apm-deploy/apm/test/harness"
)

// selfVariable makes the test's own binary a plugin: the one of that name.
const selfVariable = "APM_TEST_PLUGIN"

// TestMain is main of the plugins that the tests are, too. Some tests wait most of
// their time, and some use all that a machine has and end with deadlines: it lets a
// few of them run side by side.
func TestMain(m *testing.M) {
	switch name := os.Getenv(selfVariable); name {
	case "":
	case "contradiction":
		serveContradiction()
		return
	default:
		os.Exit(serve.Main(plugins[name])) //nolint:forbidigo // this is main
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	m.Run()
}

// plugins are what no honest author makes.
var plugins = map[string]sdk.Plugin{
	"choosy": {
		Name: "choosy", Version: "1.0.0",
		Config: schema.Schema{Version: 1, Block: schema.Block{Attributes: []schema.Attribute{
			{Name: "region", Type: "string"},
		}}},
		Spec: schema.Schema{Version: 1},
		New:  func(*slog.Logger) sdk.Platform { return nowhere{} },
	},
}

// nowhere is a platform on which nothing can be deployed, wherever it is.
type nowhere struct{ sdk.Platform }

var errNowhere = errors.New("nothing can be deployed here")

// Configure refuses every region.
func (nowhere) Configure(context.Context, sdk.ConfigureRequest) (diag.Diagnostics, error) {
	var ds diag.Diagnostics
	ds.Errorf([]string{"region"}, "there is no region of that name: choose one of the provider's list")
	return ds, nil
}

func (nowhere) Resolve(context.Context, sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
	return sdk.Release{}, nil, errNowhere
}

// program writes a program below a home: a shell script.
func program(t *testing.T, h *harness.Host, name, script string) (path string) {
	t.Helper()
	h.Write(name, "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(h.Path(name), 0o755); err != nil {
		t.Fatal(err)
	}
	return h.Path(name)
}

// contradiction is a plugin of somebody who does not use our SDK, which would have
// refused its schema: in that, a name stands twice.
type contradiction struct {
	pluginv1.UnimplementedPlatformServer
}

// Describe tells the schema.
func (contradiction) Describe(context.Context, *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	return &pluginv1.DescribeResponse{
		Name: "contradiction", Version: "1.0.0", ProtocolMinor: 1, Capabilities: &pluginv1.Capabilities{},
		Config: &pluginv1.Schema{Version: 1, Block: &pluginv1.Block{Attributes: []*pluginv1.Attribute{
			{Name: "region", Type: "string"}, {Name: "region", Type: "number"},
		}}},
		Spec: &pluginv1.Schema{Version: 1, Block: &pluginv1.Block{}},
	}, nil
}

// served is the contradiction as go-plugin wants it.
type served struct {
	goplugin.NetRPCUnsupportedPlugin
}

// GRPCServer registers the service.
func (served) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	pluginv1.RegisterPlatformServer(s, contradiction{})
	return nil
}

// GRPCClient is not for a plugin.
func (served) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errNowhere
}

func serveContradiction() {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "APM_PLUGIN", MagicCookieValue: "5e0b6c1f94d7"},
		Plugins:         goplugin.PluginSet{"platform": served{}},
		GRPCServer:      goplugin.DefaultGRPCServer,
	})
}

// self writes a program that is one of plugins.
func self(t *testing.T, h *harness.Host, name string) (path string) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program(t, h, "self-"+name, fmt.Sprintf("%s=%s exec %q", selfVariable, name, binary))
}
