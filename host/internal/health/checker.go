package health

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// defaultTimeout bounds a question whose definition does not.
const defaultTimeout = 2 * time.Second

// pauseSlack is how late, beyond its timeout, a question may end before the host
// itself is taken to have been paused or starved.
const pauseSlack = time.Second

// Config is what a Checker needs. The zero value is ready to use.
type Config struct {
	// RootCAs that TLS servers are verified against; nil: the system's.
	RootCAs *x509.CertPool
	// Now is the clock that observations are stamped by; nil: time.Now.
	Now func() time.Time
}

// Checker asks health questions. It keeps nothing between them and is safe for
// concurrent use.
type Checker struct {
	roots *x509.CertPool
	now   func() time.Time
}

// New returns a Checker.
func New(config Config) *Checker {
	c := &Checker{roots: config.RootCAs, now: config.Now}
	if c.now == nil {
		c.now = time.Now
	}
	return c
}

// Look asks the question once. addresses are those of the component, by port
// name; they stand in for ${address} and ${addresses.NAME} of the definition.
// The end of ctx is a shutdown and gives unknown; the definition's own timeout
// is an answer that did not come and gives unhealthy, unless the host itself stood
// still meanwhile.
func (c *Checker) Look(ctx context.Context, check deployment.CheckDefinition, addresses map[string]string) deployment.Observation {
	timeout := check.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	at, start := c.now(), time.Now()
	asking, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	answered := c.ask(asking, check, addresses)
	if ctx.Err() != nil && answered.status != deployment.Healthy {
		answered = unknown("stopped looking: the host is shutting down or gave the check up")
	}
	if late := c.now().Sub(at) - timeout; asking.Err() != nil && answered.status == deployment.Unhealthy && late > max(pauseSlack, timeout/2) {
		// The answer may lie there, unread: nobody looked while it could come.
		answered = unknown("could not look: the host stood still for about %s while it waited for the answer", round(late))
	}
	observation := deployment.Observation{Status: answered.status, Message: answered.message, At: at}
	if answered.status != deployment.Unknown {
		observation.Latency = time.Since(start)
	}
	if slow := latencyLimit(check); slow > 0 && observation.Status == deployment.Healthy && observation.Latency > slow {
		observation.Status = deployment.Degraded
		observation.Message = fmt.Sprintf("%s, but it took %s, more than %s",
			observation.Message, round(observation.Latency), slow)
	}
	for _, secret := range check.Secrets {
		for _, form := range deployment.SecretForms(secret) {
			observation.Message = deployment.HideSecret(observation.Message, form)
		}
	}
	return observation
}

func (c *Checker) ask(ctx context.Context, check deployment.CheckDefinition, addresses map[string]string) answer {
	switch {
	case check.Type == "http" && check.HTTP != nil:
		return c.askHTTP(ctx, *check.HTTP, addresses)
	case check.Type == "tcp" && check.TCP != nil:
		return askTCP(ctx, *check.TCP, addresses)
	case check.Type == "grpc" && check.GRPC != nil:
		return c.askGRPC(ctx, *check.GRPC, addresses)
	default:
		return unknown("check of type %q cannot be asked: it has no settings of that type (http, tcp or grpc)", check.Type)
	}
}

func latencyLimit(check deployment.CheckDefinition) time.Duration {
	if check.HTTP == nil {
		return 0
	}
	return check.HTTP.Latency
}

// round keeps three digits or so: nobody reads nanoseconds.
func round(d time.Duration) time.Duration {
	switch {
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond)
	default:
		return d
	}
}
