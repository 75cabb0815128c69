package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// DeploymentPath is the path parameter of a deployment. It is exported because huma
// looks into no other embedded type.
type DeploymentPath struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the deployment, or the beginning of it: at least 4 characters that no other id begins with." example:"550e8400-e29b-41d4-a716-446655440000"`
}

// How an id may be shortened.
const (
	shortestPrefix = 4
	fullID         = 36
	listedMatches  = 10
)

// find returns the deployment of an id, or of its unique beginning. None is
// 404, several are 409 and listed.
func (s *Server) find(ctx context.Context, id string) (*deployment.Deployment, error) {
	return s.findAt(ctx, "path.id", id)
}

// findAt is find for an id that stands elsewhere in the request.
func (s *Server) findAt(ctx context.Context, location, id string) (*deployment.Deployment, error) {
	id = strings.ToLower(id)
	if strings.ContainsFunc(id, func(r rune) bool { return !isIDRune(r) }) {
		return nil, unknownDeployment(id)
	}
	if len(id) < fullID {
		if len(id) < shortestPrefix {
			return nil, newProblem(http.StatusUnprocessableEntity, location+" is too short", fmt.Sprintf("give at least %d characters", shortestPrefix),
				v1.ProblemItem{Location: location, Message: "too short", Value: id})
		}
		ids, err := s.parts.Store.Find(ctx, id, listedMatches)
		switch {
		case err != nil:
			return nil, err
		case len(ids) == 0:
			return nil, unknownDeployment(id)
		case len(ids) > 1 && !slices.Contains(ids, id):
			return nil, newProblem(http.StatusConflict, "several deployments begin with "+id+": "+strings.Join(ids, ", "), "give more of the id")
		case len(ids) == 1:
			id = ids[0]
		}
	}
	d, err := s.parts.Store.Deployment(ctx, id)
	if errors.Is(err, deployment.ErrNotFound) {
		return nil, unknownDeployment(id)
	}
	return d, err
}

// isIDRune says whether an id may have this character.
func isIDRune(r rune) bool {
	return r == '-' || r == '_' || (r >= '0' && r <= '9') || (r >= 'a' && r <= 'z')
}

// unknownDeployment is the answer for an id that nobody knows.
func unknownDeployment(id string) error {
	return newProblem(http.StatusNotFound, fmt.Sprintf("there is no deployment %q", id), "apm deploy list, or GET /api/v1/deployments")
}

// status returns the status body of a deployment.
func (s *Server) status(ctx context.Context, d *deployment.Deployment) (v1.Deployment, error) {
	return s.statusWith(ctx, d, newTargets(s.parts.Store))
}

// pastRuns is how many past runs an estimate looks at.
const pastRuns = 20

// statusWith returns the status body, with what was read of targets before.
func (s *Server) statusWith(ctx context.Context, d *deployment.Deployment, targets *targets) (v1.Deployment, error) {
	a := around{Now: s.config.Now()}
	d, err := targets.asked(ctx, d)
	if err != nil {
		return v1.Deployment{}, err
	}
	state, err := targets.state(ctx, d.Target)
	if err != nil {
		return v1.Deployment{}, err
	}
	a.Current = state.Current == d.ID
	if d.Waiting != nil && d.Waiting.Kind == deployment.WaitLock {
		if a.Position, err = targets.position(ctx, d); err != nil {
			return v1.Deployment{}, err
		}
	}
	if r := d.Run(); r != nil && r.Open() {
		if a.Past, err = s.parts.Store.PastRuns(ctx, d.Target, r.Kind, pastRuns); err != nil {
			return v1.Deployment{}, err
		}
	}
	return statusOf(d, a), nil
}
