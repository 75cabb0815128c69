package live

import (
	"fmt"
	"strings"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// detail is how much of a tree is drawn.
type detail int

const (
	everything detail = iota
	troubled          // components, and below them only what is not well
	worst             // of the components only those that fail
	components
)

// tree draws components with their resources and checks in at most room lines:
// with less room what is well goes first.
func (s *State) tree(room int) []string {
	var lines []string
	for _, d := range []detail{everything, troubled, worst, components} {
		lines = s.branches(d)
		if len(lines) <= room && (d != worst || len(lines) > 0) {
			return lines
		}
	}
	if room < 1 {
		return nil
	}
	hidden := len(lines) - room + 1
	return append(lines[:room-1], fmt.Sprintf("… %d more", hidden))
}

func (s *State) branches(d detail) []string {
	var lines []string
	for i := range s.Components {
		c := &s.Components[i]
		if d == worst && !componentFails(c) {
			continue
		}
		lines = append(lines, s.componentLine(c))
		leaves := leavesOf(c, d)
		for j, leaf := range leaves {
			mark := "├ "
			if j == len(leaves)-1 {
				mark = "└ "
			}
			lines = append(lines, "  "+mark+leaf)
		}
	}
	return lines
}

func (s *State) componentLine(c *apiv1.Component) string {
	parts := []string{mark(c.Status) + " " + output.Clean(c.Name), c.Status}
	if c.Traffic != nil {
		parts = append(parts, fmt.Sprintf("candidate %d%%", *c.Traffic))
	}
	if drift, ok := s.Drift[c.Name]; ok {
		parts = append(parts, "drift by "+output.Clean(first(drift.By, "somebody else")))
	}
	if c.Platform != "" {
		parts = append(parts, output.Clean(c.Platform))
	}
	if c.Reason != "" {
		parts = append(parts, output.Clean(c.Reason))
	}
	return strings.Join(parts, "  ")
}

// leavesOf lists resources, each below its parent, and then checks.
func leavesOf(c *apiv1.Component, d detail) []string {
	if d == components {
		return nil
	}
	var leaves []string
	drawn := map[string]bool{}
	var draw func(parent string, depth int)
	draw = func(parent string, depth int) {
		for i := range c.Resources {
			r := &c.Resources[i]
			if drawn[r.ID] || (r.ParentID != parent && !(parent == "" && !hasResource(c, r.ParentID))) {
				continue
			}
			drawn[r.ID] = true
			if d == everything || resourceFails(r) {
				leaves = append(leaves, strings.Repeat("  ", depth)+resourceLine(r))
			}
			draw(r.ID, depth+1)
		}
	}
	draw("", 0)
	for i := range c.Checks {
		if check := &c.Checks[i]; d == everything || check.Status != string(deployment.Healthy) {
			leaves = append(leaves, checkLine(check))
		}
	}
	return leaves
}

func hasResource(c *apiv1.Component, id string) bool {
	for i := range c.Resources {
		if c.Resources[i].ID == id {
			return true
		}
	}
	return false
}

func resourceLine(r *apiv1.Resource) string {
	parts := []string{output.Clean(r.Kind + " " + first(r.Name, r.ID)), r.Health}
	if r.Desired > 0 {
		parts = append(parts, fmt.Sprintf("%d/%d", r.Ready, r.Desired))
	}
	if r.Restarts > 0 {
		parts = append(parts, fmt.Sprintf("restarts %d", r.Restarts))
	}
	if text := output.Clean(strings.TrimSpace(r.Reason + " " + r.Message)); text != "" {
		parts = append(parts, text)
	}
	return strings.Join(parts, "  ")
}

func checkLine(c *apiv1.HealthCheck) string {
	line := "check " + output.Clean(c.Name) + "  " + c.Status
	if c.Message != "" {
		line += "  " + output.Clean(c.Message)
	}
	return line
}

// mark is one character for a status.
func mark(status string) string {
	switch deployment.Status(status) {
	case deployment.Completed:
		return "✓"
	case deployment.Failed, deployment.RollbackFailed:
		return "✗"
	case deployment.RolledBack, deployment.RollingBack:
		return "↺"
	case deployment.Pending, deployment.Cancelled:
		return "○"
	case deployment.Skipped, deployment.Unchanged, deployment.Removed:
		return "·"
	default:
		return "●"
	}
}
