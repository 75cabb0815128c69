package live

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Picture draws the state into width × height cells. No line is wider, none is
// wrapped: what does not fit is cut, what is well goes before what fails.
func (s *State) Picture(width, height int, now time.Time, color bool) string {
	c := canvas{width: max(width, 10), color: color}
	if !s.Known && s.Name == "" {
		c.line("connecting …")
		return c.String()
	}
	s.head(&c, now)
	rest := max(height, 5) - len(c.lines)

	logs := s.failingLogs(rest)
	tree := s.tree(rest - len(logs))
	c.lines = append(c.lines, tree...)
	c.lines = append(c.lines, logs...)
	if len(c.lines) > height {
		c.lines = c.lines[:max(height, 1)]
	}
	return c.String()
}

// canvas collects lines and cuts them at its width.
type canvas struct {
	width int
	color bool
	lines []string
}

func (c *canvas) line(text string) { c.lines = append(c.lines, text) }

// String returns the lines, each cut and, with colour, painted.
func (c *canvas) String() string {
	lines := make([]string, len(c.lines))
	for i, line := range c.lines {
		lines[i] = strings.TrimRight(ansi.Truncate(line, c.width, "…"), " ")
		if c.color {
			lines[i] = output.Paint(lines[i])
		}
	}
	return strings.Join(lines, "\n")
}

// head draws what the deployment is, how it stands and how far it is.
func (s *State) head(c *canvas, now time.Time) {
	name := output.Clean(title(s.Deployment))
	if room := c.width - ansi.StringWidth(s.Status) - 2; ansi.StringWidth(name) > room {
		name = ansi.Truncate(name, max(room, 1), "…")
	}
	c.line(name + "  " + s.Status)
	if s.Reason != "" {
		c.line(output.Clean(s.Reason))
	}
	c.line(s.bar(c.width))
	if foot := s.foot(now); foot != "" {
		c.line(output.Clean(foot))
	}
}

// bar draws the progress of the run over the whole width.
func (s *State) bar(width int) string {
	p := s.Progress
	figures := fmt.Sprintf(" %5.1f%%", p.Percentage)
	if p.TotalSteps > 0 {
		figures += fmt.Sprintf(" %d/%d", p.CurrentStep, p.TotalSteps)
	}
	cells := max(width-ansi.StringWidth(figures), 1)
	cells = min(cells, 60)
	full := min(int(p.Percentage/100*float64(cells)+0.5), cells)
	return strings.Repeat("█", max(full, 0)) + strings.Repeat("░", cells-max(full, 0)) + figures
}

// foot is what goes on right now: waiting, the time left, the stage, the verdict;
// the verdict before the stage when something fails.
func (s *State) foot(now time.Time) string {
	var parts []string
	if s.Waiting != nil {
		parts = append(parts, waitingText(s.Waiting.Kind, s.Waiting.For, s.Waiting.Position))
	}
	if eta := etaText(s.ETA, now); eta != "" {
		parts = append(parts, eta)
	}
	stage, verdict := s.Progress.CurrentStage, ""
	if s.Verdict.Verdict != "" && !deployment.Status(s.Status).Terminal() {
		verdict = "verdict " + string(s.Verdict.Verdict) + ": " + s.Verdict.Reason
	}
	if s.failing() != "" {
		stage, verdict = verdict, stage
	}
	for _, part := range []string{stage, verdict} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " · ")
}

// failingLogs are the last lines of what fails, at most about half of rest.
func (s *State) failingLogs(rest int) []string {
	name := s.failing()
	lines := s.Logs[name]
	if name == "" || len(lines) == 0 {
		return nil
	}
	room := max(rest/2-1, 1)
	kept := lines[max(0, len(lines)-room):]
	shown := []string{"last lines of " + output.Clean(name)}
	for _, line := range kept {
		shown = append(shown, "│ "+output.Clean(line.Line))
	}
	return shown
}

// failing returns the component that fails, "" if none does.
func (s *State) failing() string {
	if s.Evidence != nil && s.Evidence.Component != "" {
		return s.Evidence.Component
	}
	for i := range s.Components {
		if componentFails(&s.Components[i]) {
			return s.Components[i].Name
		}
	}
	return ""
}

func componentFails(c *apiv1.Component) bool {
	if c.Status == string(deployment.Failed) || c.Status == string(deployment.RollbackFailed) {
		return true
	}
	for i := range c.Resources {
		if resourceFails(&c.Resources[i]) {
			return true
		}
	}
	for i := range c.Checks {
		if c.Checks[i].Status == string(deployment.Unhealthy) {
			return true
		}
	}
	return false
}

func resourceFails(r *apiv1.Resource) bool {
	return r.Health == string(deployment.ResourceFailed) || r.Health == string(deployment.ResourceDegraded)
}
