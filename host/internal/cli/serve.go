package cli

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/host/internal/app"
	"github.com/apm-deploy/apm/host/internal/config"
)

func newServe(s *session) *cobra.Command {
	var listen, level, format string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the host",
		Long: `Run the host on config.hcl until SIGINT or SIGTERM, or until its terminal goes
away. What it deployed goes on without it, and a host that starts again takes over
where it was. On SIGHUP it reads apm.lock.hcl anew and upgrades the plugins whose
locked binary changed, as apm plugin upgrade does; config.hcl is read at the start
only.`,
		Example: "  apm serve\n  apm serve --config-file /etc/apm/config.hcl --log-format json\n  apm serve --listen localhost:9090 --data-dir /var/lib/apm",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := s.logger(level, format)
			if err != nil {
				return usage(err)
			}
			if listen != "" {
				if err := new(config.Config).ListenOn(listen); err != nil {
					return usage(err)
				}
			}
			// Only what was named overrides config.hcl.
			dir := s.namedDataDir()
			if dir != "" {
				if dir, err = s.dataDir(); err != nil {
					return err
				}
			}
			return app.Serve(cmd.Context(), app.Options{
				ConfigPath: s.configPath(), DataDir: dir, Listen: listen, Version: Version, Log: log,
				Reload: s.hangups.take(),
				Ready:  func(url string) { s.say("apm %s answers at %s; docs at %s/docs", Version, url, url) },
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "", "`HOST:PORT` instead of that of config.hcl")
	flags.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&format, "log-format", "text", "text or json")
	return cmd
}

// logger writes the host's log to stderr.
func (s *session) logger(level, format string) (*slog.Logger, error) {
	options := &slog.HandlerOptions{}
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: one of debug, info, warn, error", level)
	}
	options.Level = l
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(s.err, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(s.err, options)), nil
	default:
		return nil, fmt.Errorf("--log-format %q: text or json", format)
	}
}
