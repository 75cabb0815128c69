package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// explanation is all that is known of how a deployment ended.
type explanation struct {
	Deployment apiv1.Deployment `json:"deployment"`
	Runs       []apiv1.Run      `json:"runs"`
	Evidence   []apiv1.Evidence `json:"evidence"`
	// Sealed: evidence is there, and the caller may not see it.
	Sealed bool          `json:"sealed,omitempty"`
	Target *apiv1.Target `json:"target,omitempty"`
}

func newDeployExplain(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "explain ID",
		Short: "Say why a deployment ended as it did, and what runs now",
		Long: `Say why a deployment ended as it did: the verdict, the evidence it rests on (the
failing resource, its last log lines, the transcript of the checks), what was
done about it, and what runs now.`,
		Example: `  apm deploy explain 550e8400-e29b-41d4-a716-446655440000
  apm deploy explain 550e8400 -o json --jq '.evidence[].suggestion'`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.connect()
			if err != nil {
				return err
			}
			e, err := explain(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return s.print(e, nil, func(g *output.Grid) { s.showExplanation(g, e) })
		},
	}
}

func explain(ctx context.Context, c *client.Client, id string) (explanation, error) {
	var e explanation
	var err error
	if e.Deployment, err = c.Get(ctx, id); err != nil {
		return e, err
	}
	runs, err := c.Runs(ctx, e.Deployment.ID)
	if err != nil {
		return e, err
	}
	e.Runs = runs.Runs
	evidence, err := c.Evidence(ctx, e.Deployment.ID)
	switch problem := problemOf(err); {
	case err == nil:
		e.Evidence = evidence.Evidence
	case problem != nil && (problem.Status == http.StatusUnauthorized || problem.Status == http.StatusForbidden):
		e.Sealed = true
	default:
		return e, err
	}
	targets, err := c.Targets(ctx)
	if err != nil {
		return e, err
	}
	for i, target := range targets.Targets {
		if target.Application == e.Deployment.Name && target.Environment == e.Deployment.Environment {
			e.Target = &targets.Targets[i]
		}
	}
	return e, nil
}

func (s *session) showExplanation(g *output.Grid, e explanation) {
	d := e.Deployment
	g.Title("%s %s in %s: %s", d.Name, versionOf(d), d.Environment, d.Status)
	g.Title("%s", d.Reason)
	if d.Failure != nil {
		g.Title("")
		g.Title("Verdict")
		g.Title("  %s", failureText(*d.Failure))
		if d.Failure.Suggestion != "" {
			g.Title("  suggestion: %s", d.Failure.Suggestion)
		}
	}
	for _, evidence := range e.Evidence {
		showEvidence(g, evidence)
	}
	if e.Sealed {
		g.Title("")
		g.Title("Evidence needs a token: on the host's machine it is found by itself, elsewhere use --token.")
	}
	g.Title("")
	g.Title("What was done")
	for _, run := range e.Runs {
		showRun(g, run)
	}
	g.Title("")
	g.Title("What runs now")
	g.Title("  %s", runsNow(e.Target))
	g.Title("")
	g.Title("Next")
	for _, command := range s.nextCommands(d) {
		g.Title("  %s", command)
	}
}

func failureText(f apiv1.Failure) string {
	where := strings.TrimSpace(f.Component + " " + f.Resource)
	if where != "" {
		where = " (" + where + ")"
	}
	return f.Code + where + ": " + f.Message
}

func showEvidence(g *output.Grid, e apiv1.Evidence) {
	g.Title("")
	g.Title("Evidence of run %d, kept %s before anything was undone", e.Run, e.At.Local().Format(time.DateTime))
	g.Title("  %s %s: %s", e.Code, strings.TrimSpace(e.Component+" "+e.Resource), e.Message)
	if e.Suggestion != "" {
		g.Title("  suggestion: %s", e.Suggestion)
	}
	for _, r := range e.Resources {
		line := fmt.Sprintf("  %s %s is %s", r.Kind, first(r.Name, r.ID), r.Health)
		if r.Restarts > 0 {
			line += fmt.Sprintf(", restarts %d", r.Restarts)
		}
		if why := strings.TrimSpace(r.Reason + " " + r.Message); why != "" {
			line += ": " + why
		}
		g.Title("%s", line)
	}
	if len(e.Checks) > 0 {
		g.Title("  checks, oldest first:")
	}
	for _, o := range e.Checks {
		g.Title("    %s  %s  %s  %s", o.At.Local().Format(time.TimeOnly), o.Check, o.Status, o.Message)
	}
	if len(e.Events) > 0 {
		g.Title("  events of the platform:")
	}
	for _, event := range e.Events {
		g.Title("    %s", output.Clean(event))
	}
	if len(e.Logs) > 0 {
		g.Title("  last log lines:")
	}
	for _, line := range e.Logs {
		previous := ""
		if line.Previous {
			previous = "(previous instance) "
		}
		g.Title("    │ %s%s", previous, output.Clean(line.Line))
	}
}

func showRun(g *output.Grid, run apiv1.Run) {
	what := fmt.Sprintf("  run %d: %s", run.Number, run.Kind)
	if run.From != "" || run.To != "" {
		what += fmt.Sprintf(" %s → %s", first(run.From, "nothing"), first(run.To, "nothing"))
	}
	what += ", by " + run.Actor
	if run.Trigger == string(deployment.TriggerPolicy) {
		what += " (policy)"
	}
	g.Title("%s; reason: %s", what, first(run.Reason, "not given"))
	for _, step := range run.Steps {
		for _, o := range step.Operations {
			took := "goes on"
			if o.EndedAt != nil {
				took = "took " + round(o.EndedAt.Sub(o.StartedAt))
			}
			if o.Message != "" {
				took += ": " + o.Message
			}
			g.Title("    %s: %s %s, %s", step.Component, o.Kind, first(o.Result, "runs"), took)
		}
	}
	if run.Result != "" {
		g.Title("    ended %s: %s", run.Result, run.Why)
	}
}

func runsNow(target *apiv1.Target) string {
	if target == nil || len(target.Components) == 0 {
		return "nothing"
	}
	parts := make([]string, len(target.Components))
	for i, c := range target.Components {
		parts[i] = fmt.Sprintf("%s %s on %s", c.Name, c.Version, c.Platform)
	}
	text := strings.Join(parts, ", ") + "; " + target.Health
	if len(target.Drifted) > 0 {
		text += "; changed by somebody else: " + strings.Join(target.Drifted, ", ")
	}
	return text
}

// nextCommands are what a person is likely to want next.
func (s *session) nextCommands(d apiv1.Deployment) []string {
	commands := []string{s.again("deploy", "history", d.ID), s.again("deploy", "logs", d.ID)}
	switch {
	case !deployment.Status(d.Status).Terminal():
		commands = append(commands, s.again("deploy", "watch", d.ID), s.again("deploy", "cancel", d.ID))
	case d.Current:
		commands = append(commands, s.again("deploy", "rollback", d.ID, "--dry-run"))
	default:
		commands = append(commands, s.again("deploy", "list", "--name", quote(d.Name), "--environment", quote(d.Environment)))
	}
	return commands
}
