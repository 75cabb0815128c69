package demo

import (
	"context"
	"fmt"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/live"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// acts are the three deployments and how each must end.
var acts = []struct {
	version string
	tells   string
	ends    deployment.Status
}{
	{"v1", "Nothing runs yet: v1 comes up, is checked, and gets the traffic.", deployment.Completed},
	{"v2", "v2 comes up beside v1, is checked as a candidate without traffic, and takes over.", deployment.Completed},
	{"v3", "v3 passes its candidate check and takes over; then its health turns bad, although it still answers.", deployment.RolledBack},
}

// act shows one deployment from its start to its end. The request to start it is
// answered before a first signal is heeded: one that was given up could be accepted
// after everything was removed.
func (d *demo) act(ctx, hard context.Context, act struct {
	version string
	tells   string
	ends    deployment.Status
},
) error {
	d.say("")
	d.say("%s", act.tells)
	before, err := d.count()
	if err != nil {
		return err
	}
	started, err := d.client.Start(hard, apiv1.StartRequest{Name: application, Version: act.version, Environment: environment, Reason: "demo"}, "")
	if err != nil {
		return err
	}
	if err := d.follow(ctx, started.ID); err != nil {
		return err
	}
	ended, err := d.client.Get(ctx, started.ID)
	if err != nil {
		return err
	}
	events, err := d.allEvents(ctx, started.ID)
	if err != nil {
		return err
	}
	after, err := d.count()
	if err != nil {
		return err
	}
	d.result.add(ended, events, after.since(before))
	d.say("%s is %s: %s", act.version, ended.Status, ended.Reason)
	d.say("The client that never retries: %d requests, %d failures.", after.Requests-before.Requests, after.Failures-before.Failures)
	if after.Failures > before.Failures {
		d.say("The last failure: %s", after.Failure)
	}
	if deployment.Status(ended.Status) != act.ends {
		return fmt.Errorf("%s ended %s instead of %s: %s", act.version, ended.Status, act.ends, ended.Reason)
	}
	return nil
}

// follow shows a deployment until it has ended. The client begins as soon as
// the application can be reached.
func (d *demo) follow(ctx context.Context, id string) error {
	stream := func(ctx context.Context, yield func(apiv1.Event) error) error {
		return d.client.Watch(ctx, id, 0, func(e apiv1.Event) error {
			if d.load == nil && reachable(e) {
				if err := d.startLoad(); err != nil {
					return err
				}
			}
			return yield(e)
		})
	}
	read := func(ctx context.Context) (apiv1.EvidenceList, error) { return d.client.Evidence(ctx, id) }
	_, err := live.Follow(ctx, live.WithEvidence(stream, read), live.Config{Run: 1, Replay: true, Out: d.Progress})
	return err
}

// reachable says whether from this event on the application answers.
func reachable(e apiv1.Event) bool {
	return deployment.EventType(e.Type) == deployment.EventOperationFinished ||
		deployment.EventType(e.Type) == deployment.EventStatus && isVerifying(e)
}

func (d *demo) startLoad() (err error) {
	d.load, err = startTraffic(d.Executable, d.dir, d.app, d.Environ)
	return err
}

// count returns what the client has counted so far.
func (d *demo) count() (counts, error) {
	if d.load == nil {
		return counts{}, nil
	}
	return d.load.count()
}

// allEvents returns every row of a deployment.
func (d *demo) allEvents(ctx context.Context, id string) ([]apiv1.Event, error) {
	all := []apiv1.Event{}
	for after := uint64(0); ; {
		page, err := d.client.Events(ctx, id, after, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Events...)
		if page.Next == 0 {
			return all, nil
		}
		after = page.Next
	}
}
