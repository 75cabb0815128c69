package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
)

// completeSet completes what --set may say of a platform's spec: a key, or the
// value of a truth. An application of several components is asked by component.
func (s *session) completeSet(cmd *cobra.Command, platform, application, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var spec *apiv1.SchemaBlock
	var components []string
	if !s.completing(cmd, func(ctx context.Context, c *client.Client) error {
		var err error
		if components, err = componentsOf(ctx, c, application); err != nil {
			return err
		}
		spec, err = s.specOf(ctx, c, platform)
		return err
	}) || spec == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if len(components) < 2 {
		return settings(*spec, "", begun)
	}
	component, rest, inside := strings.Cut(begun, ".")
	if inside {
		return settings(*spec, component+".", rest)
	}
	var names []cobra.Completion
	for _, name := range components {
		names = add(names, begun, name+".", "component")
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// componentsOf returns the components of an application, if it is known.
func componentsOf(ctx context.Context, c *client.Client, application string) ([]string, error) {
	if application == "" {
		return nil, nil
	}
	list, err := c.Applications(ctx)
	for _, a := range list.Applications {
		if a.Name == application {
			return a.Components, err
		}
	}
	return nil, err
}

// specOf returns what a component's spec may hold on a platform; without one on
// the only one, or on config.hcl's default. Nil: that is not known.
func (s *session) specOf(ctx context.Context, c *client.Client, platform string) (*apiv1.SchemaBlock, error) {
	platforms, err := s.meant(ctx, c, platform)
	if err != nil || len(platforms) != 1 {
		return nil, err
	}
	p, err := c.Plugin(ctx, platforms[0])
	if err != nil || p.Schema == nil {
		return nil, err
	}
	return &p.Schema.Spec, nil
}

// settings are the keys of a block, after a prefix, that go on with what was
// begun; or the values of one that was named.
func settings(b apiv1.SchemaBlock, prefix, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if key, value, named := strings.Cut(begun, "="); named {
		return values(b, prefix, key, value), cobra.ShellCompDirectiveNoFileComp
	}
	const goesOn = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	name, rest, inside := strings.Cut(begun, ".")
	if inside {
		n := nestedOf(b, name)
		if n == nil {
			return nil, goesOn
		}
		prefix += name + "."
		if n.Nesting != "single" { // a label of the user's, or a number
			label, below, labelled := strings.Cut(rest, ".")
			if !labelled {
				return nil, goesOn
			}
			prefix, rest = prefix+label+".", below
		}
		return settings(n.Block, prefix, rest)
	}
	var keys []cobra.Completion
	for _, a := range b.Attributes {
		if !a.Deprecated {
			keys = add(keys, prefix+begun, prefix+a.Name+"=", about(a))
		}
	}
	for _, n := range b.Blocks {
		if !n.Block.Deprecated && n.Nesting != "list" { // whose items are given as JSON, as a whole
			keys = add(keys, prefix+begun, prefix+n.Name+".", n.Block.Description)
		}
	}
	return keys, goesOn
}

// values are those of a truth.
func values(b apiv1.SchemaBlock, prefix, key, begun string) []cobra.Completion {
	name, rest, inside := strings.Cut(key, ".")
	if inside {
		n := nestedOf(b, name)
		if n == nil {
			return nil
		}
		prefix += name + "."
		if n.Nesting != "single" {
			label, below, _ := strings.Cut(rest, ".")
			prefix, rest = prefix+label+".", below
		}
		return values(n.Block, prefix, rest, begun)
	}
	var all []cobra.Completion
	for _, a := range b.Attributes {
		if a.Name != key || a.Type != "bool" {
			continue
		}
		for _, word := range []string{"true", "false"} {
			about := ""
			if word == a.Default {
				about = "default"
			}
			all = add(all, prefix+key+"="+begun, prefix+key+"="+word, about)
		}
	}
	return all
}

// nestedOf returns the block of that name, or nil.
func nestedOf(b apiv1.SchemaBlock, name string) *apiv1.SchemaNested {
	for i := range b.Blocks {
		if b.Blocks[i].Name == name {
			return &b.Blocks[i]
		}
	}
	return nil
}

// about is what a shell shows beside a key.
func about(a apiv1.SchemaKey) string {
	text := a.Type
	if a.Required {
		text += ", required"
	}
	if sentence, _, _ := strings.Cut(a.Description, ". "); sentence != "" {
		text += ": " + strings.TrimSuffix(sentence, ".")
	}
	return text
}
