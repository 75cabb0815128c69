package deployment_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// runsOf are past runs of so many minutes.
func runsOf(minutes ...int) []deployment.PastRun {
	past := make([]deployment.PastRun, 0, len(minutes))
	for _, m := range minutes {
		past = append(past, deployment.PastRun{Total: time.Duration(m) * time.Minute})
	}
	return past
}

// chain is a deploy of db, web that depends on it, and mail beside them. db's
// checks take 10 s to pass in a row, web's 6 s, mail's 4 s. web's traffic moves
// in three steps with 30 s between them. The bake window is a minute.
func chain(r deployment.Run) *deployment.Deployment {
	component := func(name string, passes int, interval time.Duration, dependsOn ...string) deployment.Component {
		return deployment.Component{Name: name, DependsOn: dependsOn, Definition: deployment.ComponentDefinition{
			Checks:    []deployment.CheckDefinition{{Passes: 1, Interval: time.Second}, {Passes: passes, Interval: interval}},
			Promotion: deployment.DefaultPromotion(),
		}}
	}
	d := deploymentOf("", r)
	d.Definition.Policy.Bake = time.Minute
	d.Components = []deployment.Component{
		component("db", 2, 5*time.Second), component("web", 3, 2*time.Second, "db"), component("mail", 2, 2*time.Second),
	}
	d.Components[1].Definition.Promotion = deployment.Promotion{Steps: []int{10, 50, 100}, Pause: 30 * time.Second}
	return d
}

func TestEstimateFromHistory(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		past             []deployment.PastRun
		idle             time.Duration
		after            time.Duration
		earliest, latest time.Duration // since the lock
		overdue          bool
	}{
		"three":                      {past: runsOf(3, 1, 2), earliest: 2 * time.Minute, latest: 3 * time.Minute},
		"four":                       {past: runsOf(4, 3, 2, 1), earliest: 2 * time.Minute, latest: 4 * time.Minute},
		"ten":                        {past: runsOf(10, 1, 9, 2, 8, 3, 7, 4, 6, 5), earliest: 5 * time.Minute, latest: 9 * time.Minute},
		"nobody looked for a while":  {past: runsOf(1, 2, 3), idle: time.Minute, earliest: 3 * time.Minute, latest: 4 * time.Minute},
		"at the last moment":         {past: runsOf(1, 2, 3), after: 3 * time.Minute, earliest: 2 * time.Minute, latest: 3 * time.Minute},
		"overdue":                    {past: runsOf(1, 2, 3), after: 3*time.Minute + 1, earliest: 2 * time.Minute, latest: 3 * time.Minute, overdue: true},
		"not overdue, nobody looked": {past: runsOf(1, 2, 3), idle: time.Minute, after: 4 * time.Minute, earliest: 3 * time.Minute, latest: 4 * time.Minute},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := chain(deployment.Run{Kind: deployment.RunDeploy, LockedAt: began, Idle: test.idle})
			want := &deployment.ETA{
				Basis: deployment.BasisHistory, Overdue: test.overdue,
				Earliest: began.Add(test.earliest), Latest: began.Add(test.latest),
			}
			if diff := cmp.Diff(want, deployment.EstimateETA(d, test.past, began.Add(test.after))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEstimateFromWaits(t *testing.T) {
	t.Parallel()
	locked := deployment.Run{Kind: deployment.RunDeploy, LockedAt: began}
	dbPassed := locked
	dbPassed.Steps = []deployment.Step{of("db", passed())}
	baking := locked
	baking.Steps = []deployment.Step{of("db", passed()), of("web", passed()), of("mail", passed())}
	baking.Baked = 45 * time.Second
	over := baking
	over.Baked = 2 * time.Minute
	checks := func(passes int) []deployment.CheckDefinition {
		return []deployment.CheckDefinition{{Passes: passes, Interval: 10 * time.Second}}
	}
	rollback := deployment.Run{Kind: deployment.RunRollback, LockedAt: began, Steps: []deployment.Step{
		{Component: "db", Action: deployment.ActionRestore, GoalChecks: checks(1)},
		{Component: "web", Action: deployment.ActionRestore, GoalChecks: checks(2)},
		{Component: "mail", Action: deployment.ActionNone},
	}}
	webBack := rollback
	webBack.Steps = []deployment.Step{rollback.Steps[0], of("web", passed()), rollback.Steps[2]}
	tests := map[string]struct {
		run    deployment.Run
		past   []deployment.PastRun
		change func(*deployment.Deployment)
		left   time.Duration
	}{
		// db twice 10 s, web twice 6 s and two pauses of 30 s, the bake window.
		"all is ahead":                             {run: locked, left: (20 + 12 + 60 + 60) * time.Second},
		"two past runs":                            {run: locked, past: runsOf(1, 1), left: (20 + 12 + 60 + 60) * time.Second},
		"db passed, mail not":                      {run: dbPassed, left: (8 + 12 + 60 + 60) * time.Second},
		"in the bake window":                       {run: baking, left: 15 * time.Second},
		"the window is over":                       {run: over, left: 0},
		"web is unchanged":                         {run: locked, change: func(d *deployment.Deployment) { d.Component("web").Unchanged = true }, left: (20 + 60) * time.Second},
		"web is dropped":                           {run: locked, change: func(d *deployment.Deployment) { d.Component("web").Dropped = true }, left: (20 + 60) * time.Second},
		"a record with a cycle":                    {run: locked, change: func(d *deployment.Deployment) { d.Component("db").DependsOn = []string{"web"} }, left: time.Minute},
		"a rollback goes back one after the other": {run: rollback, left: 30 * time.Second},
		"web is back":                              {run: webBack, left: 10 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := chain(test.run)
			if test.change != nil {
				test.change(d)
			}
			now := began.Add(20 * time.Second)
			want := &deployment.ETA{
				Basis: deployment.BasisWaits, Earliest: now.Add(test.left), Latest: now.Add(test.left + test.left/2),
			}
			if diff := cmp.Diff(want, deployment.EstimateETA(d, test.past, now)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEstimateByStageAndComponent(t *testing.T) {
	t.Parallel()
	run := func(preparing, deploying, verifying, db, web int) deployment.PastRun {
		seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
		return deployment.PastRun{
			Stages: map[deployment.Status]time.Duration{
				deployment.Preparing: seconds(preparing), deployment.Deploying: seconds(deploying), deployment.Verifying: seconds(verifying),
			},
			Components: map[string]time.Duration{"db": seconds(db), "web": seconds(web)},
			Total:      seconds(preparing + deploying + verifying),
		}
	}
	past := []deployment.PastRun{run(1, 30, 60, 10, 20), run(2, 40, 61, 12, 28), run(3, 50, 62, 20, 30)}
	locked := deployment.Run{Kind: deployment.RunDeploy, LockedAt: began}
	deploying := locked
	deploying.PreparedAt = began.Add(2 * time.Second)
	deploying.Stages = []deployment.Stage{{Name: deployment.Deploying, StartedAt: began.Add(2 * time.Second)}}
	dbSlow := deploying // db takes longer than ever, so that web, after it, is later too
	dbSlow.Steps = []deployment.Step{{Component: "db", StartedAt: began.Add(2 * time.Second)}}
	verifying := deploying
	verifying.DeployedAt = began.Add(42 * time.Second)
	verifying.Stages = []deployment.Stage{{Name: deployment.Verifying, StartedAt: began.Add(42 * time.Second)}}
	tests := map[string]struct {
		run      deployment.Run
		after    int // seconds since the lock
		p50, p90 int // seconds since the lock
		overdue  bool
	}{
		"preparing":          {run: locked, after: 1, p50: 2 + 40 + 61, p90: 3 + 50 + 62},
		"deploying":          {run: deploying, after: 12, p50: 12 + 12 + 28 + 61, p90: 12 + 20 + 30 + 62},
		"db is slow":         {run: dbSlow, after: 40, p50: 40 + 28 + 61, p90: 40 + 30 + 62},
		"verifying":          {run: verifying, after: 60, p50: 42 + 61, p90: 42 + 62},
		"verifying too long": {run: verifying, after: 200, p50: 200, p90: 200, overdue: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := chain(test.run)
			want := &deployment.ETA{
				Basis: deployment.BasisHistory, Overdue: test.overdue,
				Earliest: began.Add(time.Duration(test.p50) * time.Second), Latest: began.Add(time.Duration(test.p90) * time.Second),
			}
			now := began.Add(time.Duration(test.after) * time.Second)
			if diff := cmp.Diff(want, deployment.EstimateETA(d, past, now)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWaitsBecomeOverdue(t *testing.T) {
	t.Parallel()
	d := chain(deployment.Run{Kind: deployment.RunDeploy, LockedAt: began})
	// 152 s of known waits: one and a half times that and half a minute.
	for after, want := range map[time.Duration]bool{time.Minute: false, 106 * time.Second: false, 107 * time.Second: true} {
		if eta := deployment.EstimateETA(d, nil, began.Add(after)); eta.Overdue != want {
			t.Errorf("after %s: overdue %t", after, eta.Overdue)
		}
	}
}

func TestNothingIsEstimated(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]*deployment.Deployment{
		"before any run":        deploymentOf(deployment.Pending),
		"in the queue":          deploymentOf(deployment.Pending, open(deployment.RunDeploy, false)),
		"after the end":         deploymentOf(deployment.Completed, ended(deployment.RunDeploy, deployment.Completed)),
		"a rollback that waits": deploymentOf(deployment.Completed, ended(deployment.RunDeploy, deployment.Completed), open(deployment.RunRollback, false)),
	} {
		if eta := deployment.EstimateETA(d, runsOf(1, 2, 3), began); eta != nil {
			t.Errorf("%s: %+v", name, eta)
		}
	}
}
