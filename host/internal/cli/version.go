package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/host/internal/cli/output"
)

// Version of this program, semver without "v". A release sets it with
// -ldflags "-X …/cli.Version=".
var Version = "0.1.0"

// build is what `apm version` tells.
type build struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Revision string `json:"revision,omitempty"`
}

func newVersion(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Show the version of this program",
		Example: "  apm version\n  apm version -o json --jq .version",
		Args:    exactly(),
		RunE: func(*cobra.Command, []string) error {
			b := build{Version: Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, setting := range info.Settings {
					if setting.Key == "vcs.revision" {
						b.Revision = setting.Value
					}
				}
			}
			return s.print(b, nil, func(g *output.Grid) {
				g.Title("apm %s (%s, %s)", b.Version, b.Go, b.Platform)
				if b.Revision != "" && g.Wide() {
					g.Note("revision %s", b.Revision)
				}
			})
		},
	}
}
