package live

import (
	"fmt"
	"strings"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// rank orders the lines of a tree by what they are worth when there is little
// room; the lower, the more.
type rank int

const (
	failing rank = iota // a component that fails
	trouble             // what is not well below a component
	sound               // any other component
	well                // what is well below a component
	ranks
)

// branch is a line of the tree; a leaf belongs to the component above it.
type branch struct {
	text string
	leaf bool
	rank rank
}

// tree draws components with their resources and checks in at most room lines;
// the lines of least worth are left out, and counted in the last line unless
// what fails needs that line too.
func (s *State) tree(room int) []string {
	all := s.branches()
	if len(all) <= room {
		return draw(all)
	}
	if room < 1 {
		return nil
	}
	kept := make([]bool, len(all))
	left := room
	counted := count(all, trouble) < room
	if counted {
		left--
	}
	for r := range ranks {
		for i := range all {
			if all[i].rank == r && left > 0 {
				kept[i], left = true, left-1
			}
		}
	}
	var shown []branch
	for i := range all {
		if kept[i] {
			shown = append(shown, all[i])
		}
	}
	if !counted {
		return draw(shown)
	}
	return append(draw(shown), fmt.Sprintf("… %d more", len(all)-len(shown)))
}

// count counts the branches worth as much as r or more.
func count(branches []branch, r rank) int {
	n := 0
	for i := range branches {
		if branches[i].rank <= r {
			n++
		}
	}
	return n
}

// draw puts the branches of a component below it.
func draw(branches []branch) []string {
	lines := make([]string, len(branches))
	for i, b := range branches {
		switch {
		case !b.leaf:
			lines[i] = b.text
		case i+1 < len(branches) && branches[i+1].leaf:
			lines[i] = "  ├ " + b.text
		default:
			lines[i] = "  └ " + b.text
		}
	}
	return lines
}

func (s *State) branches() []branch {
	var all []branch
	for i := range s.Components {
		c := &s.Components[i]
		b := branch{text: s.componentLine(c), rank: sound}
		if componentFails(c) {
			b.rank = failing
		}
		all = append(all, b)
		all = append(all, leavesOf(c)...)
	}
	return all
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
func leavesOf(c *apiv1.Component) []branch {
	var leaves []branch
	drawn := map[string]bool{}
	var below func(parent string, depth int)
	below = func(parent string, depth int) {
		for i := range c.Resources {
			r := &c.Resources[i]
			if drawn[r.ID] || (r.ParentID != parent && !(parent == "" && !hasResource(c, r.ParentID))) {
				continue
			}
			drawn[r.ID] = true
			leaves = append(leaves, leaf(strings.Repeat("  ", depth)+resourceLine(r), !resourceFails(r)))
			below(r.ID, depth+1)
		}
	}
	below("", 0)
	for i := range c.Checks {
		leaves = append(leaves, leaf(checkLine(&c.Checks[i]), c.Checks[i].Status == string(deployment.Healthy)))
	}
	return leaves
}

func leaf(text string, isWell bool) branch {
	if isWell {
		return branch{text: text, leaf: true, rank: well}
	}
	return branch{text: text, leaf: true, rank: trouble}
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
