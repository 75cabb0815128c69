package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
)

// validity is what `apm config validate` tells of a file that is valid.
type validity struct {
	File      string              `json:"file"`
	DataDir   string              `json:"data_dir"`
	Listen    string              `json:"listen"`
	Platforms []string            `json:"platforms"`
	Plugins   []string            `json:"plugins"`
	Warnings  []apiv1.ProblemItem `json:"warnings"`
}

func newConfig(s *session) *cobra.Command {
	return group(&cobra.Command{
		Use:     "config",
		Short:   "Check the host's configuration",
		Example: "  apm config validate",
	}, newConfigValidate(s))
}

func newConfigValidate(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Read config.hcl and say what is wrong with it",
		Long: `Read config.hcl and say what is wrong with it, with file, line and column. What
only a plugin knows of its platform block is checked when it starts: apm doctor
starts each one.`,
		Example: "  apm config validate\n  apm config validate /etc/apm/config.hcl -o json",
		Args:    atMost("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				s.flags.configFile = args[0]
			}
			c, err := s.config()
			if err != nil {
				return err
			}
			v := validity{
				File: c.File, DataDir: c.DataDir, Listen: c.Server.Listen,
				Platforms: []string{}, Plugins: []string{}, Warnings: []apiv1.ProblemItem{},
			}
			for _, p := range c.Platforms() {
				v.Platforms = append(v.Platforms, p.Name)
			}
			for _, p := range c.Plugins() {
				v.Plugins = append(v.Plugins, p.Name)
			}
			for _, w := range c.Warnings {
				v.Warnings = append(v.Warnings, itemOf(w))
				if !s.format.Machine() {
					fmt.Fprintln(s.err, "warning:")
					renderItem(s.err, itemOf(w))
				}
			}
			return s.print(v, nil, func(g *output.Grid) {
				g.Title("%s is valid: listens on %s, data in %s, platforms %s", v.File, v.Listen, v.DataDir, first(strings.Join(v.Platforms, ", "), "none"))
			})
		},
	}
}
