package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
)

func newPlugin(s *session) *cobra.Command {
	return group(&cobra.Command{
		Use:     "plugin",
		Short:   "List, inspect, restart, upgrade, lock, test and write plugins",
		Example: "  apm plugin list\n  apm plugin inspect process\n  apm plugin lock\n  apm plugin new files",
	},
		newPluginList(s), newPluginInspect(s), newPluginRestart(s), newPluginUpgrade(s), newPluginLock(s),
		newPluginTest(s), newPluginNew(s), newPluginSDK(s),
	)
}

func newPluginList(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the platforms and the plugin processes behind them",
		Example: "  apm plugin list\n  apm plugin list -o wide",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.connect()
			if err != nil {
				return err
			}
			list, err := c.Plugins(cmd.Context())
			if err != nil {
				return err
			}
			return s.print(list, elements(list.Plugins), func(g *output.Grid) {
				g.Columns(
					output.Column{Name: "PLATFORM"}, output.Column{Name: "PLUGIN"}, output.Column{Name: "VERSION"},
					output.Column{Name: "STATE"}, output.Column{Name: "PID"}, output.Column{Name: "RESTARTS"},
					output.Column{Name: "SINCE"}, output.Column{Name: "HEALTH"}, output.Column{Name: "SHA256", Wide: true},
					output.Column{Name: "PATH", Wide: true}, output.Column{Name: "REASON", Flex: true},
				)
				for _, p := range list.Plugins {
					pid := ""
					if p.PID > 0 {
						pid = fmt.Sprint(p.PID)
					}
					g.Row(p.Platform, p.Plugin, p.Version, p.State, pid, fmt.Sprint(p.Restarts),
						round(time.Since(p.Since)), p.Health, p.SHA256, p.Path, p.Reason)
				}
			})
		},
	}
}

func showPlugin(g *output.Grid, p apiv1.Plugin) {
	if p.Platform == "" {
		g.Title("plugin %s %s", p.Plugin, p.Version)
		g.Title("  path          %s", p.Path)
	} else {
		showProcess(g, p)
	}
	g.Title("  capabilities  %s", strings.Join(p.Capabilities, ", "))
	for _, name := range slices.Sorted(maps.Keys(p.Attributes)) {
		g.Title("  %-13s %s", name, p.Attributes[name])
	}
	showKeys(g, "Keys of the platform's block in config.hcl", p.Config)
	showKeys(g, "Keys of a component's spec", p.Spec)
}

func showKeys(g *output.Grid, title string, keys []apiv1.SchemaKey) {
	g.Title("")
	g.Title("%s", title)
	if len(keys) == 0 {
		g.Title("  none")
	}
	for _, key := range keys {
		var notes []string
		for _, note := range []struct {
			applies bool
			text    string
		}{
			{key.Required, "required"},
			{key.Sensitive, "sensitive"},
			{key.Path, "path"},
			{key.Deprecated, "deprecated"},
			{key.Default != "", "default " + key.Default},
		} {
			if note.applies {
				notes = append(notes, note.text)
			}
		}
		line := "  " + key.Name + "  " + key.Type
		if len(notes) > 0 {
			line += "  (" + strings.Join(notes, ", ") + ")"
		}
		g.Title("%s", line)
		if key.Description != "" {
			g.Title("      %s", key.Description)
		}
	}
}
