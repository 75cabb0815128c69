package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// history is a deployment's runs, and the same as spans for drawing.
type history struct {
	DeploymentID string       `json:"deployment_id"`
	Runs         []apiv1.Run  `json:"runs"`
	Spans        []apiv1.Span `json:"spans"`
}

// Widths of the parts of a bar's line.
const (
	nameWidth = 32
	timeWidth = 8
	barWidth  = 40 // where the terminal is wide enough
	minWidth  = 5
	endWidth  = 12 // of the result
)

func newDeployHistory(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "history ID",
		Short: "Draw the runs of a deployment and their stages as bars",
		Long: `Draw the runs of a deployment (the deploy and its rollbacks) and their stages as
bars, with who began each run and why. -o jsonl exports one run a line.`,
		Example: `  apm deploy history 550e8400-e29b-41d4-a716-446655440000
  apm deploy history 550e8400 -o jsonl > history.jsonl`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.connect()
			if err != nil {
				return err
			}
			d, err := c.Get(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			runs, err := c.Runs(cmd.Context(), d.ID)
			if err != nil {
				return err
			}
			timeline, err := c.Timeline(cmd.Context(), d.ID)
			if err != nil {
				return err
			}
			h := history{DeploymentID: d.ID, Runs: runs.Runs, Spans: timeline.Spans}
			return s.print(h, elements(h.Runs), func(g *output.Grid) {
				g.Title("%s %s in %s: %s", d.Name, versionOf(d), d.Environment, d.Status)
				showHistory(g, h, time.Now(), s.barWidth())
			})
		},
	}
}

// barWidth is as wide as a bar may be without wrapping its line.
func (s *session) barWidth() int {
	if s.out.Width == 0 {
		return barWidth
	}
	return min(max(s.out.Width-nameWidth-timeWidth-endWidth-4, minWidth), barWidth)
}

func showHistory(g *output.Grid, h history, now time.Time, width int) {
	for _, run := range h.Runs {
		g.Title("")
		showRunHead(g, run)
		from, to := bounds(h.Spans, run.Number, now)
		for _, span := range h.Spans {
			if span.Run == run.Number && span.Kind != "run" {
				g.Title("%s", spanLine(span, from, to, now, width))
			}
		}
		if run.Result != "" {
			g.Title("  ended %s: %s", run.Result, run.Why)
		}
	}
}

func showRunHead(g *output.Grid, run apiv1.Run) {
	by := run.Actor
	if run.Trigger == string(deployment.TriggerPolicy) {
		by = "policy"
	}
	g.Title("run %d  %s %s → %s  %s by %s: %s", run.Number, run.Kind, first(run.From, "nothing"), first(run.To, "nothing"),
		run.RequestedAt.Local().Format(time.DateTime), by, first(run.Reason, "not given"))
}

// bounds returns when the first span of a run began and the last one ended.
func bounds(spans []apiv1.Span, run int, now time.Time) (from, to time.Time) {
	for _, span := range spans {
		if span.Run != run {
			continue
		}
		if from.IsZero() || span.StartedAt.Before(from) {
			from = span.StartedAt
		}
		if end := endOf(span, now); end.After(to) {
			to = end
		}
	}
	return from, to
}

func endOf(span apiv1.Span, now time.Time) time.Time {
	if span.EndedAt == nil {
		return now
	}
	return *span.EndedAt
}

// spanLine draws one span: name, bar, duration, result.
func spanLine(span apiv1.Span, from, to, now time.Time, width int) string {
	indent := "  "
	if span.Kind != "stage" {
		indent = "    "
	}
	name := indent + output.Clean(span.Name)
	if span.Kind != "stage" && span.Kind != span.Name {
		name = indent + span.Kind + " " + output.Clean(span.Name)
	}
	if runes := []rune(name); len(runes) > nameWidth {
		name = string(runes[:nameWidth-1]) + "…"
	}
	name += strings.Repeat(" ", nameWidth-len([]rune(name)))
	end := endOf(span, now)
	took := precise(end.Sub(span.StartedAt))
	took = strings.Repeat(" ", max(timeWidth-len(took), 0)) + took
	line := name + " " + bar(span.StartedAt, end, from, to, width) + " " + took + "  " + span.Result
	return strings.TrimRight(line, " ")
}

// bar places a stretch of time within a longer one. The shortest is one cell.
func bar(start, end, from, to time.Time, width int) string {
	whole := to.Sub(from)
	if whole <= 0 {
		return "█" + strings.Repeat(" ", width-1)
	}
	first := min(int(float64(start.Sub(from))/float64(whole)*float64(width)), width-1)
	last := min(max(int(float64(end.Sub(from))/float64(whole)*float64(width)+0.5), first+1), width)
	return strings.Repeat(" ", first) + strings.Repeat("█", last-first) + strings.Repeat(" ", width-last)
}

// precise renders a duration with tenths of a second below a minute.
func precise(d time.Duration) string {
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return round(d)
}
