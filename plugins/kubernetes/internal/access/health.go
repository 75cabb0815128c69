package access

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/client-go/rest"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

const (
	// askTime bounds one look.
	askTime = 10 * time.Second
	// reviewEvery is how often the rights are looked at where all was well.
	reviewEvery = time.Minute
	// reviewAgain is the same where a needed right was missing.
	reviewAgain = 10 * time.Second
)

// Looker looks at a cluster again and again. It is for one goroutine.
type Looker struct {
	Cluster   *cluster.Cluster
	Config    *rest.Config
	Namespace string
	Source    string // where the configuration comes from, for messages
	Now       func() time.Time

	reviewed time.Time // when the rights were looked at last; zero: they must be
	missing  []Right
	version  string
	account  string
}

// Look says how the cluster is. It makes one request where nothing has changed.
func (l *Looker) Look(ctx context.Context) sdk.Health {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	health := sdk.Health{State: sdk.HealthHealthy, Attributes: map[string]string{"server": l.Config.Host, "namespace": l.Namespace}}
	err := l.ask(ctx)
	for key, value := range map[string]string{"version": l.version, "account": l.account} {
		if value != "" {
			health.Attributes[key] = value
		}
	}
	if err != nil {
		health.State, health.Description = l.failed(err)
		l.reviewed = time.Time{}
		return health
	}
	health.Description = fmt.Sprintf("Kubernetes %s at %s", l.version, l.Config.Host)
	if len(l.missing) == 0 {
		return health
	}
	rights := fmt.Sprintf("%s may not, %s", cmp.Or(l.account, "the account"), Sentence(l.missing, l.Namespace))
	health.Attributes["missing_rights"] = Sentence(l.missing, l.Namespace)
	if slices.ContainsFunc(l.missing, needed) {
		health.State, health.Description = sdk.HealthUnhealthy, rights+"; grant it as deploy/kubernetes/rbac.yaml does"
	} else {
		health.Description += "; " + rights
	}
	return health
}

func needed(right Right) bool { return right.Needed }

// ask asks the cluster. Whoever sees the namespace is known to it; what the account is
// called, and may do, is asked less often.
func (l *Looker) ask(ctx context.Context) error {
	client := l.Cluster.Typed()
	if err := Namespace(ctx, client, l.Namespace); err != nil {
		return err
	}
	every := reviewEvery
	if slices.ContainsFunc(l.missing, needed) {
		every = reviewAgain
	}
	if now := l.Now(); l.reviewed.IsZero() || now.Sub(l.reviewed) >= every {
		version, err := l.Cluster.Version(ctx)
		if err != nil {
			return err
		}
		missing, err := Missing(ctx, client, l.Namespace, Rights())
		if err != nil {
			return err
		}
		l.version, l.account = version, Account(ctx, client)
		l.missing, l.reviewed = missing, now
	}
	return nil
}

func (l *Looker) failed(err error) (sdk.HealthState, string) {
	switch sdk.CodeOf(err) {
	case sdk.Unauthenticated:
		text := fmt.Sprintf("the API server at %s refuses %s of %s", l.Config.Host, Whose(l.Config), l.Source)
		if expired := Expired(l.Config, l.Now()); expired != "" {
			text += ": " + expired
		}
		return sdk.HealthUnhealthy, text + "; renew it"
	case sdk.Unavailable:
		return sdk.HealthUndetected, err.Error()
	case sdk.Unknown: // the look took too long
		return sdk.HealthUndetected, fmt.Sprintf("the API server at %s does not answer: %v", l.Config.Host, err)
	default:
		return sdk.HealthUnhealthy, err.Error()
	}
}
