package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/scaffold"
)

// newModule is what `apm plugin new` has written.
type newModule struct {
	Name      string `json:"name"`
	Module    string `json:"module"`
	Directory string `json:"directory"`
	Binary    string `json:"binary"` // what make builds
	Workspace string `json:"workspace,omitempty"`
}

func newPluginNew(s *session) *cobra.Command {
	var plugin scaffold.Plugin
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Write the Go module of a new plugin",
		Long: `Write the Go module of a new plugin: it builds, passes the conformance suite and
deploys directories of files behind a symlink. Put your platform where the files
are. The sdk that it is built with comes along; all else comes from your Go proxy.`,
		Example: "  apm plugin new files\n  apm plugin new files --dir ~/src/files --module git.example.com/ops/files",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			plugin.Name = args[0]
			written, err := scaffold.New(cmd.Context(), plugin)
			if err != nil {
				return asked(err)
			}
			m := newModule{
				Name: written.Name, Module: written.Module, Directory: written.Dir,
				Binary: filepath.Join(written.Dir, "apm-plugin-"+written.Name), Workspace: written.Workspace,
			}
			return s.print(m, nil, func(g *output.Grid) {
				g.Title("plugin %s: module %s in %s", m.Name, m.Module, m.Directory)
				g.Title("")
				g.Title("  cd %s", m.Directory)
				g.Title("  make          # %s", m.Binary)
				g.Title("  make test     # every test, the conformance suite among them")
				g.Title("")
				if m.Workspace != "" {
					g.Title("It is no part of the workspace %s: go needs GOWORK=off there; make has it.", m.Workspace)
				}
				g.Title("README.md there has the blocks for config.hcl, and says what to change.")
			})
		},
		ValidArgsFunction: cobra.NoFileCompletions, // a new name
	}
	cmd.Flags().StringVar(&plugin.Dir, "dir", "", "`directory` to write, empty or not there yet (default: apm-plugin-NAME)")
	cmd.Flags().StringVar(&plugin.Module, "module", "", "Go module `path` (default: example.com/apm-plugin-NAME)")
	return cmd
}

// asked makes a wrong argument an error of the command line.
func asked(err error) error {
	if deployment.CodeOf(err) == deployment.Invalid {
		return usage(err)
	}
	return err
}
