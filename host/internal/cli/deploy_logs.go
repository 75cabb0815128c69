package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/api/client"
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
			if q.tail < 0 || q.tail > maxTail {
				return usage(fmt.Errorf("--tail %d: write a number from 1 to %d", q.tail, maxTail))
			}
			if q.follow && q.previous {
				return usage(errors.New("--follow and --previous exclude each other: instances that ended write no more"))
			}
			c, err := s.connect()
			if err != nil {
				return err
			}
			return s.deployLogs(cmd.Context(), c, args[0], q)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&q.follow, "follow", "f", false, "go on with new lines until Ctrl-C")
	flags.StringVar(&q.component, "component", "", "only of this `component`")
	flags.StringVar(&q.resource, "resource", "", "only of this `resource` (id)")
	flags.BoolVar(&q.previous, "previous", false, "of the instances that ended")
	flags.IntVar(&q.tail, "tail", 0, "only the last `N` lines; default: 200")
	flags.Var((*span)(&q.since), "since", "only of the last `time`, like 10m")
	return cmd
}

func (s *session) deployLogs(ctx context.Context, c *client.Client, id string, q *logQuery) error {
	options := client.LogOptions{Component: q.component, Resource: q.resource, Tail: q.tail, Previous: q.previous}
	if q.since > 0 {
		options.Since = time.Now().Add(-q.since)
	}
	if q.follow {
		err := s.followLogs(ctx, c, id, options)
		if ctx.Err() != nil {
			return exitWith(ExitDetached)
		}
		return err
	}
	list, err := c.Logs(ctx, id, options)
	if err != nil {
		return err
	}
	return s.print(list, elements(list.Lines), func(g *output.Grid) {
		for _, line := range list.Lines {
			g.Title("%s", logLine(line))
		}
	})
}

// followLogs shows lines as they are written, until ctx ends. What cannot be
// followed is said at once; a connection that breaks later is mended.
func (s *session) followLogs(ctx context.Context, c *client.Client, id string, options client.LogOptions) error {
	probe := options
	probe.Tail = 1
	if _, err := c.Logs(ctx, id, probe); err != nil {
		return err
	}
	printer := output.Printer{Options: s.format, Out: s.out}
	return c.FollowLogs(ctx, id, options, func(line apiv1.LogLine) error {
		if s.format.Machine() {
			return printer.Line(line)
		}
		_, err := fmt.Fprintln(s.out, logLine(line))
		return err
	})
}

// maxTail is the most lines that the host gives at once.
const maxTail = 5000

// logLine renders one line: where it is from, and what it says.
func logLine(line apiv1.LogLine) string {
	from := line.Component
	if line.Resource != "" {
		from += "/" + line.Resource
	}
	return output.Clean(from) + " | " + output.Clean(line.Line)
}
