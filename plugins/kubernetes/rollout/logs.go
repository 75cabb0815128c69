package rollout

import (
	"context"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/sdk"
)

// Logs sends what the containers of a component wrote. What was removed has no lines.
func (p *Platform) Logs(ctx context.Context, request sdk.LogsRequest, send func(lines ...sdk.LogLine) error) error {
	written, err := p.journal(request.Target).Read(ctx)
	if err != nil {
		return err
	}
	n, err := notesOf(written)
	if err != nil {
		return err
	}
	subject := n.subject()
	subject.Services = nil
	options := follow.LogOptions{Since: request.Since, Tail: request.Tail, Follow: request.Follow, Previous: request.Previous}
	if _, pod, container, ok := judge.ParseContainer(request.Resource); ok {
		options.Pod, options.Container = pod, container
	} else if request.Resource != "" {
		all := subject.Workloads
		subject.Workloads = nil
		for _, r := range all {
			if judge.ID(r) == request.Resource {
				subject.Workloads = append(subject.Workloads, r)
			}
		}
	}
	if len(subject.Workloads) == 0 {
		return nil
	}
	return p.follower.Logs(ctx, subject, options, func(lines ...follow.LogLine) error {
		all := make([]sdk.LogLine, 0, len(lines))
		for _, l := range lines {
			all = append(all, sdk.LogLine{
				Resource: judge.ContainerID(l.Pod, l.Container), Line: l.Text, Previous: l.Previous, Time: l.At,
			})
		}
		return send(all...)
	})
}
