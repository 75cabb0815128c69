package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
)

func newPluginUpgrade(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "upgrade PLUGIN",
		Short: "Replace the binary of a plugin while deployments run",
		Long: `Replace the binary of a plugin by the one that is pinned now (apm plugin lock
pins it), on every platform of the plugin, while deployments run: they go on with
the new one. A new one that is no good leaves the old one in charge; that is exit
code 1 with the reason.`,
		Example: "  apm plugin lock process && apm plugin upgrade process\n  apm plugin upgrade process -o json --jq .to_version",
		Args:    exactly("PLUGIN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.connect()
			if err != nil {
				return err
			}
			s.say("upgrading; the new one has to stay ready for some seconds")
			u, err := c.UpgradePlugin(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return s.print(u, nil, func(g *output.Grid) { g.Title("%s", upgraded(u)) })
		},
		ValidArgsFunction: s.completePlugins,
	}
}

// upgraded says what an upgrade did.
func upgraded(u apiv1.PluginUpgrade) string {
	to := fmt.Sprintf("%s %s (sha256 %.12s)", u.Plugin, u.ToVersion, u.ToSHA256)
	if u.Unchanged {
		return to + " is what runs; there was nothing to do"
	}
	from := ""
	if u.FromSHA256 != "" {
		from = fmt.Sprintf(" in place of %s (%.12s)", u.FromVersion, u.FromSHA256)
	}
	return fmt.Sprintf("%s runs%s: %s", to, from, strings.Join(u.Platforms, ", "))
}
