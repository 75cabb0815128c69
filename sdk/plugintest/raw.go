package plugintest

import (
	"context"
	"errors"
	"io"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
)

// watchRaw is a Watch as it is on the wire. It reads to the end of the stream, the
// client of the SDK ends it with the outcome; nil is an end with the status OK.
// each may end it by an error, which is returned.
func (b *bench) watchRaw(ctx context.Context, r *run, each func(*pluginv1.WatchResponse) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := b.raw.Watch(ctx, &pluginv1.WatchRequest{
		Target: &pluginv1.Target{
			Application: r.target.Application, Environment: r.target.Environment, Component: r.target.Component,
			Version: r.target.Version, Spec: &pluginv1.Value{Json: r.target.Spec},
		},
		Handle:    rawHandle(r.handle),
		Operation: rawOperation(r.operation),
	})
	for err == nil {
		var response *pluginv1.WatchResponse
		if response, err = stream.Recv(); err == nil {
			err = each(response)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func rawHandle(h sdk.Handle) *pluginv1.Handle {
	if h.IsZero() {
		return nil
	}
	return &pluginv1.Handle{Version: h.Version, State: h.State}
}

func rawOperation(o sdk.Operation) *pluginv1.Operation {
	return &pluginv1.Operation{
		Id: o.ID, DeploymentId: o.DeploymentID, Kind: pluginv1.OperationKind(o.Kind),
		RequestDigest: o.RequestDigest, Epoch: o.Epoch, Staged: o.Staged,
	}
}
