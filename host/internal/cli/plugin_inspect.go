package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/app"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/cli/reference"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

func newPluginInspect(s *session) *cobra.Command {
	docs := false
	cmd := &cobra.Command{
		Use:   "inspect PLATFORM|FILE",
		Short: "Show what a platform can do and the keys that it knows",
		Long: `Show how the process of a platform is, what it can do, and the keys of its block
in config.hcl and of a component's spec. A FILE, written with a slash, is a
plugin's binary: it is started once and asked, and needs no host.

With --docs, write the reference of its keys as Markdown.`,
		Example: `  apm plugin inspect process
  apm plugin inspect process -o json --jq '.spec[] | select(.required) | .name'
  apm plugin inspect process --docs > process.md
  apm plugin inspect ./bin/apm-plugin-files --docs`,
		Args: exactly("PLATFORM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if docs && s.format.Machine() {
				return usage(errors.New("--docs and -o exclude each other: the reference is Markdown"))
			}
			p, err := s.inspected(cmd, args[0])
			if err != nil {
				return err
			}
			if !docs {
				return s.print(p, nil, func(g *output.Grid) { showPlugin(g, p) })
			}
			if p.Schema == nil {
				return &deployment.Error{
					Code: deployment.Unavailable, Message: fmt.Sprintf("platform %q is %s, and its plugin has not told its keys yet: %s", p.Platform, p.State, p.Reason),
					Remedy: "name its binary instead: apm plugin inspect FILE --docs",
				}
			}
			_, err = io.WriteString(s.out, strings.Join(output.CleanLines(reference.Markdown(p)), "\n")+"\n")
			return err
		},
		ValidArgsFunction: s.completePlatforms,
	}
	cmd.Flags().BoolVar(&docs, "docs", false, "write the reference of its keys as Markdown")
	return cmd
}

// inspected asks the host for a platform, or a binary for itself.
func (s *session) inspected(cmd *cobra.Command, name string) (apiv1.Plugin, error) {
	if strings.ContainsRune(name, filepath.Separator) {
		return app.InspectFile(cmd.Context(), s.expandHome(name))
	}
	c, err := s.connect()
	if err != nil {
		return apiv1.Plugin{}, err
	}
	return c.Plugin(cmd.Context(), name)
}

// headOf is one line about a platform; a plugin that never started has told no
// version.
func headOf(p apiv1.Plugin) string {
	head := p.Platform + ": plugin " + p.Plugin
	if p.Version != "" {
		head += " " + p.Version
	}
	head += ", " + p.State
	if p.Reason != "" {
		head += ": " + p.Reason
	}
	return head
}

// showProcess shows how the process of a platform is.
func showProcess(g *output.Grid, p apiv1.Plugin) {
	g.Title("%s", headOf(p))
	g.Title("  path          %s", p.Path)
	pinned := p.PinnedBy
	if pinned == "" {
		pinned = "nothing: it is in development"
	}
	g.Title("  sha256        %s (pinned by %s)", p.SHA256, pinned)
	since := fmt.Sprintf("since %s, %d restarts", round(time.Since(p.Since)), p.Restarts)
	if p.PID > 0 {
		since = fmt.Sprintf("%d, %s", p.PID, since)
	}
	if p.NextStart != nil {
		since += ", starts again in " + round(time.Until(*p.NextStart))
	}
	g.Title("  process       %s", since)
	if p.Limits != nil {
		g.Title("  limits        %s", limitsOf(*p.Limits))
	}
	if p.Health != "" {
		g.Title("  health        %s", p.Health)
	}
	for _, rule := range slices.Sorted(maps.Keys(p.Misdeeds)) {
		if count := p.Misdeeds[rule]; count > 0 {
			g.Title("  breaks        %s, %d times: report it to the plugin's author", rule, count)
		}
	}
	if len(p.Output) > 0 {
		g.Title("  last lines")
	}
	for _, line := range p.Output {
		g.Title("    %s", line)
	}
}

func limitsOf(l apiv1.PluginLimits) string {
	var words []string
	if l.MemoryBytes > 0 {
		words = append(words, fmt.Sprintf("%d MiB of memory", l.MemoryBytes>>20))
	}
	if l.OpenFiles > 0 {
		words = append(words, fmt.Sprintf("%d open files", l.OpenFiles))
	}
	return strings.Join(words, ", ")
}
