package cli

import (
	"context"
	"fmt"
	"maps"
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

// followEvery is how often new lines are asked for.
const followEvery = time.Second

func (s *session) deployLogs(ctx context.Context, c *client.Client, id string, q *logQuery) error {
	options := client.LogOptions{Component: q.component, Resource: q.resource, Tail: q.tail, Previous: q.previous}
	if q.since > 0 {
		options.Since = time.Now().Add(-q.since)
	}
	list, err := c.Logs(ctx, id, options)
	if err != nil {
		return err
	}
	if !q.follow {
		return s.print(list, elements(list.Lines), func(g *output.Grid) {
			for _, line := range list.Lines {
				g.Title("%s", logLine(line))
			}
		})
	}
	err = s.followLogs(ctx, c, id, options, list.Lines)
	if ctx.Err() != nil {
		return exitWith(ExitDetached)
	}
	return err
}

// followLogs shows lines and asks for newer ones until ctx ends. A line that
// was shown has the time and the text of one asked for again.
func (s *session) followLogs(ctx context.Context, c *client.Client, id string, options client.LogOptions, lines []apiv1.LogLine) error {
	printer := output.Printer{Options: s.format, Out: s.out}
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	shown := map[apiv1.LogLine]bool{}
	for {
		for _, line := range lines {
			key := line
			key.Time = line.Time.UTC()
			if shown[key] {
				continue
			}
			shown[key] = true
			if line.Time.After(options.Since) {
				options.Since = line.Time
			}
			var err error
			if s.format.Machine() {
				err = printer.Line(line)
			} else {
				_, err = fmt.Fprintln(s.out, logLine(line))
			}
			if err != nil {
				return err
			}
		}
		maps.DeleteFunc(shown, func(line apiv1.LogLine, _ bool) bool { return line.Time.Before(options.Since) })
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		options.Tail = maxTail
		list, err := c.Logs(ctx, id, options)
		if err != nil {
			return err
		}
		lines = list.Lines
	}
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
