package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
)

// protocolMinor counts the additions to version 1 of the contract. It is only
// shown, never negotiated.
const protocolMinor = 1

// Server serves a plugin's platform. It is safe for concurrent use.
type Server struct {
	pluginv1.UnimplementedPlatformServer

	platform    sdk.Platform
	description sdk.Description
	log         *slog.Logger
	heartbeat   time.Duration
	life        *lifecycle
	fence       *fence
	streams     sync.WaitGroup // the platform's side of open Watch streams
	closing     sync.Once
	closed      chan struct{} // closed when the platform's Close has returned
	closeError  error
}

// ServerOption changes a default of [NewServer].
type ServerOption func(*Server)

// WithHeartbeat sets the silence after which Watch sends a heartbeat, instead of
// [HeartbeatInterval]. It is for tests.
func WithHeartbeat(silence time.Duration) ServerOption {
	return func(s *Server) {
		if silence > 0 {
			s.heartbeat = silence
		}
	}
}

// NewServer makes the plugin's platform and its server. It refuses a plugin
// whose description contradicts itself.
func NewServer(plugin sdk.Plugin, log *slog.Logger, options ...ServerOption) (*Server, error) {
	switch {
	case plugin.Name == "":
		return nil, errors.New("serve plugin: Plugin.Name is empty")
	case plugin.Version == "":
		return nil, fmt.Errorf("serve plugin %q: Plugin.Version is empty", plugin.Name)
	case plugin.New == nil:
		return nil, fmt.Errorf("serve plugin %q: Plugin.New is nil", plugin.Name)
	}
	if err := plugin.Config.Validate(); err != nil {
		return nil, fmt.Errorf("serve plugin %q: schema of the platform block: %w", plugin.Name, err)
	}
	if err := plugin.Spec.Validate(); err != nil {
		return nil, fmt.Errorf("serve plugin %q: schema of the spec block: %w", plugin.Name, err)
	}
	platform := plugin.New(log)
	if platform == nil {
		return nil, fmt.Errorf("serve plugin %q: Plugin.New returned nil", plugin.Name)
	}
	capabilities := sdk.CapabilitiesOf(platform)
	if _, promotes := platform.(sdk.Promoter); promotes && !capabilities.Cancel {
		return nil, fmt.Errorf("serve plugin %q: a Promoter must be a Canceller too", plugin.Name)
	}
	s := &Server{
		platform: platform,
		description: sdk.Description{
			Name: plugin.Name, Version: plugin.Version, ProtocolMinor: protocolMinor,
			Capabilities: capabilities, Config: plugin.Config, Spec: plugin.Spec,
		},
		log:       log,
		heartbeat: HeartbeatInterval,
		life:      newLifecycle(),
		fence:     newFence(),
		closed:    make(chan struct{}),
	}
	for _, option := range options {
		option(s)
	}
	return s, nil
}

// Wait returns when the platform has left every Watch. Call it after the gRPC
// server has stopped.
func (s *Server) Wait() { s.streams.Wait() }

// guard runs one call of the platform: it recovers panics, turns errors into
// statuses and refuses answers that are too large.
func guard[R proto.Message](ctx context.Context, s *Server, method string, call func() (R, error)) (response R, err error) {
	var none R
	defer func() {
		if value := recover(); value != nil {
			response, err = none, statusOf(ctx, s.panicked(method, value))
		}
	}()
	response, err = call()
	if err != nil {
		s.logCause(method, err)
		return none, statusOf(ctx, err)
	}
	if size := proto.Size(response); size > sdk.MaxMessage {
		return none, statusOf(ctx, pluginBug("the answer of %s has %d bytes, the limit is %d", method, size, sdk.MaxMessage))
	}
	return response, nil
}

// panicked logs a recovered panic with its stack, which stays here: it may show
// what the host must not see.
func (s *Server) panicked(method string, value any) error {
	s.log.Error("panic in the plugin", "method", method, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
	return pluginBug("panic in %s: the plugin's log has the stack; tell the plugin's author", method)
}

// logCause keeps what does not travel: the cause behind an error.
func (s *Server) logCause(method string, err error) {
	var own *sdk.Error
	if !errors.As(err, &own) || own.Error() == own.Message { // all of it travels
		return
	}
	s.log.Warn("call refused", "method", method, "code", string(own.Code), "error", err)
}

func pluginBug(format string, args ...any) *sdk.Error {
	return sdk.Errorf(sdk.Internal, sdk.ReasonPluginBug, format, args...)
}

func unsupported(method string) *sdk.Error {
	return sdk.Errorf(sdk.Unimplemented, sdk.ReasonUnspecified, "the plugin does not implement %s", method)
}

func tooLarge(what string, size, limit int) *sdk.Error {
	return sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "%s has %d bytes, the limit is %d", what, size, limit)
}
