package wire

import (
	"context"
	"time"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
)

// Describe says what the plugin is and can do.
func (s *Server) Describe(ctx context.Context, _ *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	return guard(ctx, s, "Describe", func() (*pluginv1.DescribeResponse, error) {
		return descriptionToProto(s.description), nil
	})
}

// Validate asks the platform, or where it has nothing to say checks against the
// schema.
func (s *Server) Validate(ctx context.Context, r *pluginv1.ValidateRequest) (*pluginv1.ValidateResponse, error) {
	return guard(ctx, s, "Validate", func() (*pluginv1.ValidateResponse, error) {
		validator, ok := s.platform.(sdk.Validator)
		if !ok {
			return &pluginv1.ValidateResponse{Diagnostics: diagnosticsToProto(s.checkSchemas(r))}, nil
		}
		diagnostics, err := validator.Validate(ctx, r.GetConfig().GetJson(), r.GetSpec().GetJson())
		if err != nil {
			return nil, err
		}
		return &pluginv1.ValidateResponse{Diagnostics: diagnosticsToProto(diagnostics)}, nil
	})
}

func (s *Server) checkSchemas(r *pluginv1.ValidateRequest) diag.Diagnostics {
	var found diag.Diagnostics
	if r.GetConfig() != nil {
		_, ds := s.description.Config.Complete(r.GetConfig().GetJson())
		found = append(found, ds...)
	}
	if r.GetSpec() != nil {
		_, ds := s.description.Spec.Complete(r.GetSpec().GetJson())
		found = append(found, ds...)
	}
	return found
}

// Configure comes once per process, whether it succeeds or not.
func (s *Server) Configure(ctx context.Context, r *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	return guard(ctx, s, "Configure", func() (*pluginv1.ConfigureResponse, error) {
		if err := s.life.configure(); err != nil {
			return nil, err
		}
		diagnostics, err := s.platform.Configure(ctx, sdk.ConfigureRequest{
			Platform: r.GetPlatform(), Config: r.GetConfig().GetJson(), HostVersion: r.GetHostVersion(),
			InstallationID: r.GetInstallationId(), DataDir: r.GetDataDir(),
		})
		if err != nil {
			return nil, err
		}
		if !diagnostics.HasErrors() {
			s.life.configured()
		}
		return &pluginv1.ConfigureResponse{Diagnostics: diagnosticsToProto(diagnostics)}, nil
	})
}

// Drain refuses new mutating calls and waits for those under way.
func (s *Server) Drain(ctx context.Context, r *pluginv1.DrainRequest) (*pluginv1.DrainResponse, error) {
	return guard(ctx, s, "Drain", func() (*pluginv1.DrainResponse, error) {
		grace := r.GetGrace().AsDuration()
		start := time.Now()
		s.life.drain(ctx, grace)
		drainer, ok := s.platform.(sdk.Drainer)
		if !ok {
			return &pluginv1.DrainResponse{InFlight: s.life.inFlight()}, nil
		}
		inFlight, err := drainer.Drain(ctx, max(0, grace-time.Since(start)))
		if err != nil {
			return nil, err
		}
		return &pluginv1.DrainResponse{InFlight: inFlight}, nil
	})
}

// Inventory lists what carries our stamps.
func (s *Server) Inventory(ctx context.Context, r *pluginv1.InventoryRequest) (*pluginv1.InventoryResponse, error) {
	return guard(ctx, s, "Inventory", func() (*pluginv1.InventoryResponse, error) {
		inventorier, ok := s.platform.(sdk.Inventorier)
		if !ok {
			return nil, unsupported("Inventory")
		}
		if err := s.life.check(); err != nil {
			return nil, err
		}
		items, err := inventorier.Inventory(ctx, r.GetInstallationId())
		if err != nil {
			return nil, err
		}
		return inventoryToProto(items), nil
	})
}
