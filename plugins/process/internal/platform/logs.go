package platform

import (
	"context"
	"errors"

	"github.com/apm-deploy/apm/plugins/process/internal/control"
	"github.com/apm-deploy/apm/plugins/process/internal/record"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// Logs sends what the instances of a component wrote. A component that was
// removed has no lines.
func (p *Platform) Logs(ctx context.Context, request sdk.LogsRequest, send func(lines ...sdk.LogLine) error) error {
	message, dir, err := p.request(control.Logs, sdk.Operation{}, request.Target)
	if err != nil {
		return err
	}
	message.Logs = &control.LogQuery{
		Resource: request.Resource, Since: request.Since, Tail: request.Tail, Follow: request.Follow, Previous: request.Previous,
	}
	err = withShim(ctx, dir, ifAlive, func(st *state.State) error {
		return control.Stream(ctx, st, message, func(response control.Response) error {
			if len(response.Lines) == 0 {
				return nil
			}
			return send(record.ToLines(response.Lines)...)
		})
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return answer(ctx, "read logs", err)
}
