package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// readPlan reads the file of a dry run. kind says what it must be a plan of.
func readPlan(path, kind string) (apiv1.Plan, error) {
	var plan apiv1.Plan
	const remedy = "make one with --dry-run -o json"
	data, err := readInput(path)
	if err != nil {
		return plan, usage(fmt.Errorf("--plan %s cannot be read: %w; %s", path, err, remedy))
	}
	if json.Unmarshal(data, &plan) != nil || plan.Kind == "" {
		return plan, usage(fmt.Errorf("--plan %s holds no plan; %s", path, remedy))
	}
	if plan.Kind != kind {
		command := map[deployment.RunKind]string{deployment.RunRollback: "rollback", deployment.RunRemove: "remove"}[deployment.RunKind(plan.Kind)]
		return plan, usage(fmt.Errorf("--plan %s holds the plan of another command: apm deploy %s carries it out", path, first(command, "start")))
	}
	return plan, nil
}

// printPlan shows what would be done; words are the rest of the command that
// does it.
func (s *session) printPlan(plan apiv1.Plan, words ...string) error {
	return s.print(plan, nil, func(g *output.Grid) {
		g.Title("%s", planTitle(plan))
		for _, c := range plan.Components {
			g.Title("")
			planComponent(g, c, plan.NotRestored)
		}
		g.Title("")
		if len(plan.Order) > 1 {
			waves := make([]string, len(plan.Order))
			for i, wave := range plan.Order {
				waves[i] = strings.Join(wave, " and ")
			}
			g.Note("order              %s", strings.Join(waves, ", then "))
		}
		if plan.ExpectedSeconds > 0 {
			g.Note("expected duration  %s", round(time.Duration(plan.ExpectedSeconds*float64(time.Second))))
		}
		downtime := "none"
		if plan.ExpectedDowntime > 0 {
			downtime = round(time.Duration(plan.ExpectedDowntime * float64(time.Second)))
		}
		g.Note("expected downtime  %s", downtime)
		for _, what := range plan.NotRestored {
			g.Note("not restored       %s", what)
		}
		g.Note("nothing was changed; -o json > FILE keeps the plan, then: %s", s.again(words...))
	})
}

func planTitle(plan apiv1.Plan) string {
	from := first(plan.From, "nothing")
	switch deployment.RunKind(plan.Kind) {
	case deployment.RunRollback:
		return fmt.Sprintf("Rollback of %s in %s from %s to %s", plan.Name, plan.Environment, from, first(plan.To, "nothing"))
	case deployment.RunRemove:
		return fmt.Sprintf("Removal of %s from %s, where %s runs", plan.Name, plan.Environment, from)
	default:
		return fmt.Sprintf("Deployment of %s %s to %s, where %s runs", plan.Name, plan.To, plan.Environment, from)
	}
}

// planComponent shows one component; what is said for the whole plan is left out.
func planComponent(g *output.Grid, c apiv1.PlanComponent, said []string) {
	action := c.Action
	if c.Unchanged {
		action = "unchanged, not touched"
	}
	g.Title("%s (%s): %s", c.Component, c.Platform, action)
	for _, step := range c.Steps {
		g.Title("  %s %s: %s", step.Action, step.Resource, step.Summary)
		for _, line := range output.CleanLines(step.Diff) {
			if line != "" {
				g.Title("      %s", line)
			}
		}
		if step.Command != "" {
			g.Title("    $ %s", step.Command)
		}
	}
	for _, what := range c.NotRestored {
		if !slices.Contains(said, what) {
			g.Title("  not restored: %s", what)
		}
	}
	for _, warning := range c.Warnings {
		g.Title("  warning: %s", warning)
	}
}
