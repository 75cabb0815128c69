package wire

import (
	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

func mapEach[A, B any](in []A, convert func(A) B) []B {
	if len(in) == 0 {
		return nil
	}
	out := make([]B, len(in))
	for i, one := range in {
		out[i] = convert(one)
	}
	return out
}

func descriptionToProto(d sdk.Description) *pluginv1.DescribeResponse {
	return &pluginv1.DescribeResponse{
		Name: d.Name, Version: d.Version, ProtocolMinor: d.ProtocolMinor,
		Capabilities: &pluginv1.Capabilities{
			Plan: d.Capabilities.Plan, Staged: d.Capabilities.Staged, Percent: d.Capabilities.Percent,
			Cancel: d.Capabilities.Cancel, WatchTarget: d.Capabilities.WatchTarget,
			Logs: d.Capabilities.Logs, Inventory: d.Capabilities.Inventory,
		},
		Config: schemaToProto(d.Config), Spec: schemaToProto(d.Spec),
	}
}

func descriptionFromProto(d *pluginv1.DescribeResponse) sdk.Description {
	c := d.GetCapabilities()
	return sdk.Description{
		Name: d.GetName(), Version: d.GetVersion(), ProtocolMinor: d.GetProtocolMinor(),
		Capabilities: sdk.Capabilities{
			Plan: c.GetPlan(), Staged: c.GetStaged(), Percent: c.GetPercent(), Cancel: c.GetCancel(),
			WatchTarget: c.GetWatchTarget(), Logs: c.GetLogs(), Inventory: c.GetInventory(),
		},
		Config: schemaFromProto(d.GetConfig()), Spec: schemaFromProto(d.GetSpec()),
	}
}

func schemaToProto(s schema.Schema) *pluginv1.Schema {
	return &pluginv1.Schema{Version: s.Version, Block: blockToProto(s.Block)}
}

func schemaFromProto(s *pluginv1.Schema) schema.Schema {
	return schema.Schema{Version: s.GetVersion(), Block: blockFromProto(s.GetBlock())}
}

func blockToProto(b schema.Block) *pluginv1.Block {
	return &pluginv1.Block{
		Description: b.Description, Deprecated: b.Deprecated,
		Attributes: mapEach(b.Attributes, func(a schema.Attribute) *pluginv1.Attribute {
			return &pluginv1.Attribute{
				Name: a.Name, Type: a.Type, Description: a.Description, Required: a.Required,
				Sensitive: a.Sensitive, Deprecated: a.Deprecated, DefaultJson: a.Default, Path: a.Path,
			}
		}),
		Blocks: mapEach(b.Blocks, func(n schema.NestedBlock) *pluginv1.NestedBlock {
			return &pluginv1.NestedBlock{
				Name: n.Name, Nesting: pluginv1.NestedBlock_Nesting(n.Nesting), Block: blockToProto(n.Block),
				MinItems: n.MinItems, MaxItems: n.MaxItems,
			}
		}),
	}
}

func blockFromProto(b *pluginv1.Block) schema.Block {
	return schema.Block{
		Description: b.GetDescription(), Deprecated: b.GetDeprecated(),
		Attributes: mapEach(b.GetAttributes(), func(a *pluginv1.Attribute) schema.Attribute {
			return schema.Attribute{
				Name: a.GetName(), Type: a.GetType(), Description: a.GetDescription(), Required: a.GetRequired(),
				Sensitive: a.GetSensitive(), Deprecated: a.GetDeprecated(), Default: a.GetDefaultJson(), Path: a.GetPath(),
			}
		}),
		Blocks: mapEach(b.GetBlocks(), func(n *pluginv1.NestedBlock) schema.NestedBlock {
			return schema.NestedBlock{
				Name: n.GetName(), Nesting: schema.Nesting(n.GetNesting()), Block: blockFromProto(n.GetBlock()),
				MinItems: n.GetMinItems(), MaxItems: n.GetMaxItems(),
			}
		}),
	}
}

func diagnosticsToProto(ds diag.Diagnostics) []*pluginv1.Diagnostic {
	return mapEach(ds, func(d diag.Diagnostic) *pluginv1.Diagnostic {
		return &pluginv1.Diagnostic{
			Severity: pluginv1.Diagnostic_Severity(d.Severity), Summary: d.Summary, Detail: d.Detail, Path: d.Path,
		}
	})
}

// diagnosticsFromProto takes a severity it does not know for an error: a plugin
// that wants to object must not pass.
func diagnosticsFromProto(ds []*pluginv1.Diagnostic) diag.Diagnostics {
	return mapEach(ds, func(d *pluginv1.Diagnostic) diag.Diagnostic {
		severity := diag.Error
		if d.GetSeverity() == pluginv1.Diagnostic_SEVERITY_WARNING {
			severity = diag.Warning
		}
		return diag.Diagnostic{Severity: severity, Summary: d.GetSummary(), Detail: d.GetDetail(), Path: d.GetPath()}
	})
}

func valueToProto(json []byte) *pluginv1.Value {
	if len(json) == 0 {
		return nil
	}
	return &pluginv1.Value{Json: json}
}
