package cli

import (
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/apm-deploy/apm/api/v1"
)

func newDeployCancel(s *session) *cobra.Command {
	var (
		reason  string
		key     string
		watch   bool
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "cancel ID",
		Short: "Stop a deployment that runs or waits, and restore what it changed",
		Example: `  apm deploy cancel 550e8400-e29b-41d4-a716-446655440000 --reason "Wrong version"
  apm deploy cancel 550e8400 --watch`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.connect()
			if err != nil {
				return err
			}
			d, err := c.Cancel(cmd.Context(), args[0], reason, key)
			if err != nil {
				return err
			}
			if !watch {
				s.say("accepted; follow it with: %s", s.again("deploy", "watch", d.ID))
				return s.printDeployments(d, []apiv1.Deployment{d})
			}
			return s.follow(cmd.Context(), c, following{id: d.ID, run: d.Run, back: true, timeout: timeout, progress: s.err})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; recorded")
	cmd.Flags().StringVar(&key, "idempotency-key", "", "`key` that makes a repeated request the same wish")
	watchFlags(cmd.Flags(), &watch, &timeout)
	return cmd
}
