package cli

import (
	"context"
	"net/http"
	"time"

	"github.com/apm-deploy/apm/api/client"
)

// patience is how long a command asks again what a host is not ready for yet:
// after its start the platforms take a moment.
const patience = 15 * time.Second

// patiently asks until the answer is another one than "not now, but soon", and
// says that it waits.
func (s *session) patiently(ctx context.Context, ask func() error) error {
	deadline := time.Now().Add(patience)
	for told := false; ; told = true {
		err := ask()
		p := client.AsProblem(err)
		if p == nil || p.Status != http.StatusServiceUnavailable || p.RetryAfter == 0 || time.Now().Add(p.RetryAfter).After(deadline) {
			return err
		}
		if !told {
			s.say("%s; asking again for up to %s", p.Detail, patience)
		}
		timer := time.NewTimer(p.RetryAfter)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}
