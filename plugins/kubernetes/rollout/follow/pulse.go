package follow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// pulse knows whether the API server answers at all. An open watch does not say: from one
// that is frozen nothing comes, as from one where nothing happens.
type pulse struct {
	wanted chan struct{} // somebody looks at pictures

	mu      sync.Mutex
	asked   time.Time // when the last answer came, or failed to
	failed  error     // of the last question
	since   time.Time // when it failed first
	settled chan struct{}
}

func (p *pulse) want() {
	select {
	case p.wanted <- struct{}{}:
	default:
	}
}

// silence says why the API server cannot be believed to be looked at, "" if it can. If
// nobody has asked it for long, it waits for the answer.
func (f *Follower) silence(ctx context.Context) string {
	p := &f.pulse
	p.want()
	p.mu.Lock()
	old := time.Since(p.asked) > 3*f.options.Patience
	if old && p.settled == nil {
		p.settled = make(chan struct{})
	}
	settled := p.settled
	p.mu.Unlock()
	if old {
		select {
		case <-settled:
		case <-ctx.Done():
		case <-f.life.Done():
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		return ""
	}
	return fmt.Sprintf("the API server at %s has not answered since %s: %v", f.host, p.since.UTC().Format(time.TimeOnly), p.failed)
}

// beat asks while somebody wants to know.
func (f *Follower) beat(ctx context.Context) {
	p := &f.pulse
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wanted:
		}
		err := f.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		turned := (err == nil) != (p.failed == nil)
		if turned {
			p.since = f.options.Now()
		}
		p.asked, p.failed = time.Now(), err
		if p.settled != nil {
			close(p.settled)
			p.settled = nil
		}
		p.mu.Unlock()
		wait := f.options.Patience
		if err != nil {
			wait = time.Second
		}
		if turned {
			f.wakeAll()
		}
		f.mu.RLock()
		followed := len(f.subject) > 0
		f.mu.RUnlock()
		if followed {
			p.want()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// ask returns nil if the API server answers, whatever it thinks of the question.
func (f *Follower) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.options.Patience)
	defer cancel()
	f.requests.get.Add(1)
	err := f.clients.core().Get().AbsPath("/livez").MaxRetries(0).Do(ctx).Error()
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Code < 500 {
		return nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", f.options.Patience)
	}
	return err
}
