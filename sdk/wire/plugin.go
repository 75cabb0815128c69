package wire

import (
	"context"
	"errors"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
)

// PluginKey is the key of the platform in go-plugin's plugin map.
const PluginKey = "platform"

// Handshake is what host and plugin must agree on before they speak. The cookie
// is no secret; it tells a start by the host from a start by hand.
var Handshake = plugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "APM_PLUGIN",
	MagicCookieValue: "5e0b6c1f94d7",
}

// Plugin is the platform in go-plugin's terms. Platform is set in a plugin and
// nil in the host, where dispensing [PluginKey] returns a [*Client].
type Plugin struct {
	plugin.NetRPCUnsupportedPlugin

	Platform *Server
}

var _ plugin.GRPCPlugin = (*Plugin)(nil)

// PluginSet is the plugin map of the host.
func PluginSet() plugin.PluginSet { return plugin.PluginSet{PluginKey: &Plugin{}} }

// GRPCServer registers the platform.
func (p *Plugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	if p.Platform == nil {
		return errors.New("register platform: no server given")
	}
	pluginv1.RegisterPlatformServer(s, p.Platform)
	return nil
}

// GRPCClient returns a [*Client] on the connection.
func (p *Plugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return NewClient(conn), nil
}
