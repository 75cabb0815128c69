package deployment_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// of gives a step its component.
func of(component string, s deployment.Step) deployment.Step {
	s.Component = component
	return s
}

// under is a step with that operation.
func under(op deployment.Operation) deployment.Step {
	return deployment.Step{StartedAt: began, Operations: []deployment.Operation{op}}
}

func TestProgressOfADeploy(t *testing.T) {
	t.Parallel()
	accepted := deployment.Operation{ID: "op", AcceptedAt: began}
	says := func(op deployment.Operation, message string, fraction float64) deployment.Operation {
		op.Message, op.Fraction = message, fraction
		return op
	}
	candidate := accepted
	candidate.Staged, candidate.Candidate = true, &deployment.Candidate{}
	good := candidate
	good.CandidateOK = began
	half := good
	half.Percent = 50
	locked := deployment.Run{LockedAt: began}
	deploying := func(steps ...deployment.Step) deployment.Run {
		return deployment.Run{LockedAt: began, PreparedAt: began, Steps: steps}
	}
	verifying := func(baked time.Duration) deployment.Run {
		return deployment.Run{LockedAt: began, PreparedAt: began, DeployedAt: began, Baked: baked}
	}
	ends := func(r deployment.Run, result deployment.Status) deployment.Run {
		r.EndedAt, r.Result = began.Add(time.Hour), result
		return r
	}
	shown := func(r deployment.Run, percentage float64) deployment.Run {
		r.Percentage = percentage
		return r
	}
	tests := map[string]struct {
		run    deployment.Run
		noBake bool
		taken  int // snapshots, of two
		want   deployment.Progress
	}{
		"in the queue":      {run: deployment.Run{}, want: deployment.Progress{Percentage: 0, CurrentStep: 1, TotalSteps: 3, CurrentStage: "Waiting to start"}},
		"no snapshot yet":   {run: locked, want: deployment.Progress{Percentage: 0, CurrentStep: 1, TotalSteps: 3, CurrentStage: "Taking snapshots"}},
		"one snapshot":      {run: locked, taken: 1, want: deployment.Progress{Percentage: 5, CurrentStep: 1, TotalSteps: 3, CurrentStage: "Taking snapshots"}},
		"nothing begun":     {run: deploying(), want: deployment.Progress{Percentage: 10, CurrentStep: 2, TotalSteps: 3, CurrentStage: "Deploying"}},
		"asked":             {run: deploying(of("db", under(deployment.Operation{}))), want: deployment.Progress{Percentage: 11.5, CurrentStep: 2, TotalSteps: 3, CurrentStage: "db: asking the platform"}},
		"accepted":          {run: deploying(of("db", under(accepted))), want: deployment.Progress{Percentage: 13, CurrentStep: 2, TotalSteps: 3, CurrentStage: "db: waiting for the platform"}},
		"the plugin's word": {run: deploying(of("db", under(says(accepted, "Waiting for pods to be ready", 0.5)))), want: deployment.Progress{Percentage: 17.5, CurrentStep: 2, TotalSteps: 3, CurrentStage: "db: Waiting for pods to be ready"}},
		"beyond all":        {run: deploying(of("db", under(says(accepted, "", 7)))), want: deployment.Progress{Percentage: 22, CurrentStep: 2, TotalSteps: 3, CurrentStage: "db: waiting for the platform"}},
		"below nothing":     {run: deploying(of("db", under(says(accepted, "", -7)))), want: deployment.Progress{Percentage: 13, CurrentStep: 2, TotalSteps: 3, CurrentStage: "db: waiting for the platform"}},
		"no number":         {run: deploying(of("db", under(says(accepted, "", math.NaN())))), want: deployment.Progress{Percentage: 13, CurrentStep: 2, TotalSteps: 3, CurrentStage: "db: waiting for the platform"}},
		"a candidate":       {run: deploying(of("db", under(candidate))), want: deployment.Progress{Percentage: 22, CurrentStep: 2, TotalSteps: 3, CurrentStage: "db: waiting for the candidate's checks"}},
		"a good candidate":  {run: deploying(of("db", under(good))), want: deployment.Progress{Percentage: 25, CurrentStep: 2, TotalSteps: 3, CurrentStage: "db: candidate passed its checks"}},
		"half the traffic":  {run: deploying(of("db", under(half))), want: deployment.Progress{Percentage: 30.3, CurrentStep: 2, TotalSteps: 3, CurrentStage: "db: 50 % of the traffic moved"}},
		"settled":           {run: deploying(of("db", deployment.Step{SettledAt: began})), want: deployment.Progress{Percentage: 35.5, CurrentStep: 2, TotalSteps: 3, CurrentStage: "db: waiting for its checks"}},
		"one passed":        {run: deploying(of("db", passed())), want: deployment.Progress{Percentage: 40, CurrentStep: 2, TotalSteps: 3, CurrentStage: "Deploying"}},
		"one passed, one on its way": {
			run:  deploying(of("db", passed()), of("web", under(says(accepted, "pulling", 1)))),
			want: deployment.Progress{Percentage: 52, CurrentStep: 2, TotalSteps: 3, CurrentStage: "web: pulling"},
		},
		"watched for half of the window": {
			run:  verifying(30 * time.Second),
			want: deployment.Progress{Percentage: 84.5, CurrentStep: 3, TotalSteps: 3, CurrentStage: "Watching the checks, 30s of 1m0s"},
		},
		"watched for more than the window": {
			run:  verifying(2 * time.Minute),
			want: deployment.Progress{Percentage: 99, CurrentStep: 3, TotalSteps: 3, CurrentStage: "Watching the checks, 2m0s of 1m0s"},
		},
		"without a window": {
			run: verifying(0), noBake: true,
			want: deployment.Progress{Percentage: 99, CurrentStep: 3, TotalSteps: 3, CurrentStage: "Watching the checks"},
		},
		"completed": {
			run:  ends(verifying(time.Minute), deployment.Completed),
			want: deployment.Progress{Percentage: 100, CurrentStep: 3, TotalSteps: 3, CurrentStage: "Completed"},
		},
		"failed while deploying": {
			run:  ends(deploying(of("db", passed())), deployment.Failed),
			want: deployment.Progress{Percentage: 40, CurrentStep: 2, TotalSteps: 3, CurrentStage: "Failed"},
		},
		"failed at the last moment": {
			run:  ends(verifying(time.Minute), deployment.Failed),
			want: deployment.Progress{Percentage: 99, CurrentStep: 3, TotalSteps: 3, CurrentStage: "Failed"},
		},
		"cancelled in the queue": {
			run:  ends(deployment.Run{}, deployment.Cancelled),
			want: deployment.Progress{Percentage: 0, CurrentStep: 1, TotalSteps: 3, CurrentStage: "Cancelled"},
		},
		"more was shown before": {
			run:  shown(deploying(of("db", under(accepted))), 33.3),
			want: deployment.Progress{Percentage: 33.3, CurrentStep: 2, TotalSteps: 3, CurrentStage: "db: waiting for the platform"},
		},
		"a record of 100 before the end": {
			run:  shown(verifying(0), 100),
			want: deployment.Progress{Percentage: 99.9, CurrentStep: 3, TotalSteps: 3, CurrentStage: "Watching the checks, 0s of 1m0s"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.run.Kind = deployment.RunDeploy
			d := deploymentOf("", test.run)
			d.Components = []deployment.Component{{Name: "db"}, {Name: "web"}}
			for i := range test.taken {
				d.Components[i].Before = &deployment.SnapshotRef{}
			}
			if d.Definition.Policy.Bake = time.Minute; test.noBake {
				d.Definition.Policy.Bake = 0
			}
			if diff := cmp.Diff(test.want, deployment.ProgressOf(d)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProgressOfARollback(t *testing.T) {
	t.Parallel()
	running := func(steps ...deployment.Step) deployment.Run {
		return deployment.Run{LockedAt: began, Steps: steps}
	}
	ends := func(r deployment.Run, result deployment.Status) deployment.Run {
		r.EndedAt, r.Result = began.Add(time.Hour), result
		return r
	}
	restoring := func(component string, s deployment.Step) deployment.Step {
		return of(component, action(s, deployment.ActionRestore))
	}
	none := of("mail", deployment.Step{Action: deployment.ActionNone})
	settled := deployment.Step{SettledAt: began}
	tests := map[string]struct {
		run  deployment.Run
		want deployment.Progress
	}{
		"in the queue": {run: deployment.Run{}, want: deployment.Progress{CurrentStep: 1, TotalSteps: 2, CurrentStage: "Waiting to start"}},
		// It must not begin at the end: what is restored is fixed only when all
		// that still runs has come to rest.
		"not fixed yet":   {run: running(), want: deployment.Progress{CurrentStep: 1, TotalSteps: 2, CurrentStage: "Stopping what still runs"}},
		"nothing begun":   {run: running(restoring("db", deployment.Step{}), none), want: deployment.Progress{CurrentStep: 1, TotalSteps: 2, CurrentStage: "Restoring"}},
		"nothing to do":   {run: running(none), want: deployment.Progress{Percentage: 99, CurrentStep: 2, TotalSteps: 2, CurrentStage: "Verifying"}},
		"one on its way":  {run: running(restoring("db", under(deployment.Operation{AcceptedAt: began})), restoring("web", passed())), want: deployment.Progress{Percentage: 54.5, CurrentStep: 1, TotalSteps: 2, CurrentStage: "db: waiting for the platform"}},
		"all settled":     {run: running(restoring("db", settled), restoring("web", passed())), want: deployment.Progress{Percentage: 91.6, CurrentStep: 2, TotalSteps: 2, CurrentStage: "db: waiting for its checks"}},
		"all passed":      {run: running(restoring("db", passed()), none), want: deployment.Progress{Percentage: 99, CurrentStep: 2, TotalSteps: 2, CurrentStage: "Restoring"}},
		"rolled back":     {run: ends(running(restoring("db", passed())), deployment.RolledBack), want: deployment.Progress{Percentage: 100, CurrentStep: 2, TotalSteps: 2, CurrentStage: "Rolled back"}},
		"failed half way": {run: ends(running(restoring("db", deployment.Step{}), restoring("web", passed())), deployment.RollbackFailed), want: deployment.Progress{Percentage: 49.5, CurrentStep: 1, TotalSteps: 2, CurrentStage: "Rollback failed"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.run.Kind = deployment.RunRollback
			d := deploymentOf("", ended(deployment.RunDeploy, deployment.Completed), test.run)
			d.Components = []deployment.Component{{Name: "db"}, {Name: "web"}, {Name: "mail"}}
			if diff := cmp.Diff(test.want, deployment.ProgressOf(d)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProgressBeforeAnyRun(t *testing.T) {
	t.Parallel()
	want := deployment.Progress{CurrentStep: 1, TotalSteps: 3, CurrentStage: "Accepted"}
	if diff := cmp.Diff(want, deployment.ProgressOf(deploymentOf(""))); diff != "" {
		t.Error(diff)
	}
}

func TestProgressInTheWordsOfTheProductDescription(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(deployment.Progress{
		Percentage: 66.7, CurrentStep: 2, TotalSteps: 3, CurrentStage: "Waiting for pods to be ready",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"percentage":66.7,"current_step":2,"total_steps":3,"current_stage":"Waiting for pods to be ready"}`
	if string(data) != want {
		t.Errorf("got %s, want %s", data, want)
	}
}

func TestProgressIsANumberBelow100UntilTheGoodEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		step := rapid.Custom(func(t *rapid.T) deployment.Step {
			s := of("web", under(deployment.Operation{
				AcceptedAt: began, Fraction: rapid.Float64().Draw(t, "fraction"),
				Staged: rapid.Bool().Draw(t, "staged"), Percent: rapid.IntRange(0, 100).Draw(t, "percent"),
			}))
			s.Action = rapid.SampledFrom([]deployment.Action{
				deployment.ActionDeploy, deployment.ActionRestore, deployment.ActionRemove, deployment.ActionNone,
			}).Draw(t, "action")
			if rapid.Bool().Draw(t, "passed") {
				s.SettledAt, s.PassedAt = began, began
			}
			return s
		})
		r := deployment.Run{
			Kind:     rapid.SampledFrom([]deployment.RunKind{deployment.RunDeploy, deployment.RunRemove, deployment.RunRollback}).Draw(t, "kind"),
			LockedAt: began, PreparedAt: began, Steps: rapid.SliceOfN(step, 0, 3).Draw(t, "steps"),
			Percentage: rapid.Float64Range(0, 100).Draw(t, "shown"),
			Baked:      time.Duration(rapid.Int64Min(0).Draw(t, "baked")),
			Result:     rapid.SampledFrom([]deployment.Status{"", deployment.Failed, deployment.Cancelled, deployment.RollbackFailed}).Draw(t, "result"),
		}
		if rapid.Bool().Draw(t, "deployed") {
			r.DeployedAt = began
		}
		if r.Result != "" {
			r.EndedAt = began
		}
		d := deploymentOf("", ended(deployment.RunDeploy, deployment.Completed), r)
		d.Components = []deployment.Component{{Name: "web"}}
		d.Definition.Policy.Bake = time.Duration(rapid.Int64Min(0).Draw(t, "bake"))
		p := deployment.ProgressOf(d)
		if !(p.Percentage >= 0 && p.Percentage < 100) || p.Percentage < math.Floor(r.Percentage*10)/10 && p.Percentage != 99.9 {
			t.Fatalf("%v %% with %v shown before", p.Percentage, r.Percentage)
		}
		if p.CurrentStep < 1 || p.CurrentStep > p.TotalSteps || p.CurrentStage == "" {
			t.Fatalf("%+v", p)
		}
	})
}
