package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/host/internal/app"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/config"
)

// lockedPlugin is a plugin as the lock file has it.
type lockedPlugin struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	Changed bool   `json:"changed"`
}

// lockResult is what `apm plugin lock` has written.
type lockResult struct {
	File    string         `json:"file"`
	Plugins []lockedPlugin `json:"plugins"`
}

func newPluginLock(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "lock [PLUGIN...]",
		Short: "Pin the plugins' binaries by checksum",
		Long: `Write the checksum and version of each plugin's binary to apm.lock.hcl beside
config.hcl. Each is started once, to say its name and version. The host runs no
binary with another checksum.`,
		Example: "  apm plugin lock\n  apm plugin lock process",
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := s.config()
			if err != nil {
				return err
			}
			result, err := lock(cmd.Context(), c, names)
			if err != nil {
				return err
			}
			return s.print(result, elements(result.Plugins), func(g *output.Grid) {
				g.Columns(output.Column{Name: "PLUGIN"}, output.Column{Name: "VERSION"}, output.Column{Name: "SHA256"}, output.Column{Name: "LOCK"})
				for _, p := range result.Plugins {
					state := "as it was"
					if p.Changed {
						state = "written"
					}
					g.Row(p.Name, p.Version, p.SHA256, state)
				}
				g.Note("%s", result.File)
			})
		},
		ValidArgsFunction: s.completeLock,
	}
}

// completeLock completes the plugins of config.hcl, which needs no host.
func (s *session) completeLock(_ *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	if c, err := s.config(); err == nil {
		for _, p := range c.Plugins() {
			if !slices.Contains(args, p.Name) {
				names = add(names, begun, p.Name, p.Path)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func lock(ctx context.Context, c *config.Config, names []string) (lockResult, error) {
	catalog, err := app.Catalog(c, nil)
	if err != nil {
		return lockResult{}, err
	}
	locked, err := catalog.Lock(ctx, names...)
	if err != nil {
		return lockResult{}, err
	}
	result := lockResult{File: c.LockPath(), Plugins: []lockedPlugin{}}
	for _, p := range locked {
		result.Plugins = append(result.Plugins, lockedPlugin(p))
	}
	return result, nil
}
