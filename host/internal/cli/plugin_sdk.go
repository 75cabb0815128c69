package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/scaffold"
)

func newPluginSDK(s *session) *cobra.Command {
	var proxy string
	cmd := &cobra.Command{
		Use:   "sdk [DIRECTORY]",
		Short: "Bring the sdk in a plugin's module to this version",
		Long: `Replace the copies of APM's modules api and sdk, which "apm plugin new" put into a
plugin's module, by those of this program. DIRECTORY is the module's; default: the
working directory. "go mod tidy" there then gets what the new ones need.

With --proxy they are written as a Go module proxy instead, which
GOPROXY=file://DIRECTORY reads and any web server can serve.`,
		Example: "  apm plugin sdk ~/src/files\n  apm plugin sdk --proxy /srv/goproxy",
		Args:    atMost("DIRECTORY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			write, dir := scaffold.Renew, "."
			switch {
			case cmd.Flags().Changed("proxy") && len(args) == 1:
				return usage(errors.New("DIRECTORY and --proxy exclude each other: a proxy is no module"))
			case cmd.Flags().Changed("proxy"):
				write, dir = scaffold.WriteProxy, proxy
			case len(args) == 1:
				dir = args[0]
			}
			if dir == "" {
				return usage(errors.New("the directory is empty: name one"))
			}
			written, err := write(cmd.Context(), dir)
			if err != nil {
				return asked(err)
			}
			return s.print(map[string]string{"directory": written}, nil, func(g *output.Grid) { g.Title("%s", written) })
		},
	}
	cmd.Flags().StringVar(&proxy, "proxy", "", "`directory` to write as a module proxy, empty or not there yet")
	return cmd
}
