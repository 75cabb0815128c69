package app

import (
	"context"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/platform"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/schema"
)

// InspectFile shows what a plugin's binary says about itself, without a host.
func InspectFile(ctx context.Context, path string) (v1.Plugin, error) {
	d, err := platform.InspectFile(ctx, path)
	return v1.Plugin{
		Plugin: d.Name, Version: d.Version, Path: path, Capabilities: capabilities(d.Capabilities),
		Config: schemaKeys("", d.Config.Block), Spec: schemaKeys("", d.Spec.Block), Schema: schemaOf(d),
	}, err
}

// capabilities names what a plugin can do.
func capabilities(c sdk.Capabilities) []string {
	names := []string{}
	for _, one := range []struct {
		name string
		has  bool
	}{
		{"plan", c.Plan},
		{"staged", c.Staged},
		{"percent", c.Percent},
		{"cancel", c.Cancel},
		{"watch_target", c.WatchTarget},
		{"logs", c.Logs},
		{"inventory", c.Inventory},
	} {
		if one.has {
			names = append(names, one.name)
		}
	}
	return names
}

// schemaOf shows the blocks of a plugin as they are nested.
func schemaOf(d sdk.Description) *v1.PluginSchema {
	return &v1.PluginSchema{Config: schemaBlock(d.Config.Block), Spec: schemaBlock(d.Spec.Block)}
}

func schemaBlock(b schema.Block) v1.SchemaBlock {
	out := v1.SchemaBlock{
		Description: b.Description, Deprecated: b.Deprecated,
		Attributes: make([]v1.SchemaKey, 0, len(b.Attributes)), Blocks: make([]v1.SchemaNested, 0, len(b.Blocks)),
	}
	for _, a := range b.Attributes {
		out.Attributes = append(out.Attributes, schemaKey("", a))
	}
	for _, n := range b.Blocks {
		nesting := "single"
		switch n.Nesting {
		case schema.List:
			nesting = "list"
		case schema.Map:
			nesting = "map"
		case schema.Single:
		}
		out.Blocks = append(out.Blocks, v1.SchemaNested{
			Name: n.Name, Nesting: nesting, MinItems: n.MinItems, MaxItems: n.MaxItems, Block: schemaBlock(n.Block),
		})
	}
	return out
}

// schemaKeys lists the keys of a schema; those of a labelled block stand as
// port.NAME.listen, those of a repeated one as mount.N.path.
func schemaKeys(prefix string, block schema.Block) []v1.SchemaKey {
	var keys []v1.SchemaKey
	for _, a := range block.Attributes {
		keys = append(keys, schemaKey(prefix, a))
	}
	for _, b := range block.Blocks {
		inner := prefix + b.Name + "."
		switch b.Nesting {
		case schema.Map:
			inner += "NAME."
		case schema.List:
			inner += "N."
		case schema.Single:
		}
		keys = append(keys, schemaKeys(inner, b.Block)...)
	}
	return keys
}

func schemaKey(prefix string, a schema.Attribute) v1.SchemaKey {
	return v1.SchemaKey{
		Name: prefix + a.Name, Type: a.Type, Required: a.Required, Sensitive: a.Sensitive,
		Path: a.Path, Deprecated: a.Deprecated, Default: a.Default, Description: a.Description,
	}
}
