package fake

import (
	"context"
	"fmt"
	"strings"

	"github.com/apm-deploy/apm/sdk"
)

// line is what a component wrote, from 0 on. Its last line is no UTF-8.
func line(n, all int) string {
	text := fmt.Sprintf("line %d: %s", n, strings.Repeat("x", 200))
	if n == all-1 {
		text += " no UTF-8: \xff"
	}
	return text
}

// Logs reads what the component wrote at its start.
func (p *platform) Logs(ctx context.Context, r sdk.LogsRequest, send func(...sdk.LogLine) error) error {
	p.mu.Lock()
	now, _, err := p.live(r.Target)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	first := 0
	if r.Tail > 0 && !p.breaks("whole") {
		first = max(0, now.Lines-r.Tail)
	}
	for n := first; n < now.Lines; n++ {
		if err := send(sdk.LogLine{Resource: "file", Line: line(n, now.Lines)}); err != nil {
			return err
		}
	}
	if !r.Follow {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}
