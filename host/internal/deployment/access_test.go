package deployment_test

import (
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

func TestAllows(t *testing.T) {
	t.Parallel()
	// A row for each role: what it allows of viewer, deployer, admin.
	tests := map[deployment.Role][3]bool{
		deployment.RoleViewer:   {true, false, false},
		deployment.RoleDeployer: {true, true, false},
		deployment.RoleAdmin:    {true, true, true},
		"":                      {},
		"Admin":                 {},
		"root":                  {},
	}
	needed := []deployment.Role{deployment.RoleViewer, deployment.RoleDeployer, deployment.RoleAdmin}
	for role, allows := range tests {
		if role.Valid() != allows[0] {
			t.Errorf("%q: Valid is %t", role, role.Valid())
		}
		for i, need := range needed {
			if got := role.Allows(need); got != allows[i] {
				t.Errorf("%q allows what needs %q: %t", role, need, got)
			}
		}
	}
}

func TestNobodyHasARoleThatIsNotKnown(t *testing.T) {
	t.Parallel()
	// A route with a mistyped role must be closed to all but those above it.
	for _, role := range []deployment.Role{"", "root"} {
		if role.Allows(role) {
			t.Errorf("%q allows itself", role)
		}
	}
	for _, role := range []deployment.Role{deployment.RoleViewer, deployment.RoleDeployer, deployment.RoleAdmin} {
		if role.Allows("root") {
			t.Errorf("%q allows a role that does not exist", role)
		}
	}
}

func TestActorString(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		actor deployment.Actor
		want  string
	}{
		"token":          {deployment.Actor{Kind: deployment.ActorToken, Name: "alice"}, "alice"},
		"kind not known": {deployment.Actor{Name: "alice"}, "alice"},
		"anonymous":      {deployment.Actor{Kind: deployment.ActorAnonymous}, "anonymous"},
		"policy":         {deployment.Actor{Kind: deployment.ActorPolicy, Name: "on_failure"}, "policy on_failure"},
		"host":           {deployment.Actor{Kind: deployment.ActorHost, Name: "h1"}, "host h1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.actor.String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
