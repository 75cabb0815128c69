package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
)

// logQuery selects log lines.
type logQuery struct {
	component, resource string
	since               time.Duration
	tail                int
	follow, previous    bool
}

func newDeployLogs(s *session) *cobra.Command {
	q := &logQuery{}
	cmd := &cobra.Command{
		Use:   "logs ID",
		Short: "Show what a deployment's components write",
		Example: `  apm deploy logs 550e8400-e29b-41d4-a716-446655440000
  apm deploy logs 550e8400 --component web --tail 100 -f
  apm deploy logs 550e8400 --previous`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.tail < 0 {
				return usage(fmt.Errorf("--tail %d: at least 0", q.tail))
			}
			c, err := s.connect()
			if err != nil {
				return err
			}
			printer := output.Printer{Options: s.format, Out: s.out}
			var kept []apiv1.LogLine
			err = c.Logs(cmd.Context(), args[0], *q, func(line apiv1.LogLine) error {
				switch {
				case s.format.Format == output.JSONL:
					return printer.Line(line)
				case s.format.Machine() && !q.follow:
					kept = append(kept, line)
					return nil
				case s.format.Machine():
					return printer.Line(line)
				default:
					_, err := fmt.Fprintln(s.out, logLine(line))
					return err
				}
			})
			if err != nil && cmd.Context().Err() != nil && q.follow {
				return exitWith(ExitDetached)
			}
			if err != nil || !s.format.Machine() || s.format.Format == output.JSONL || q.follow {
				return err
			}
			if kept == nil {
				kept = []apiv1.LogLine{}
			}
			return s.print(apiv1.LogList{Lines: kept}, elements(kept), nil)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&q.follow, "follow", "f", false, "go on with new lines until Ctrl-C")
	flags.StringVar(&q.component, "component", "", "only of this `component`")
	flags.StringVar(&q.resource, "resource", "", "only of this `resource` (id)")
	flags.BoolVar(&q.previous, "previous", false, "of the instances that ended")
	flags.IntVar(&q.tail, "tail", 0, "only the last `N` lines; 0: all there are")
	flags.DurationVar(&q.since, "since", 0, "only of the last `time`, like 10m")
	return cmd
}

// logLine renders one line: where it is from, and what it says.
func logLine(line apiv1.LogLine) string {
	from := line.Component
	if line.Resource != "" {
		from += "/" + line.Resource
	}
	return output.Clean(from) + " | " + output.Clean(line.Line)
}
