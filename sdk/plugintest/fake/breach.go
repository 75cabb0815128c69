package fake

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/wire"
)

// The rules that the SDK keeps for every plugin are broken beneath it.

// limits are those of messages.
func (p *faulty) limits() []grpc.ServerOption {
	options := []grpc.ServerOption{grpc.MaxSendMsgSize(math.MaxInt32)}
	if p.breaks("huge") {
		options = append(options, grpc.MaxRecvMsgSize(math.MaxInt32))
	}
	return options
}

// instead answers a call in the place of the SDK.
func (p *faulty) instead(m moment) (proto.Message, bool) {
	if m.call == "drain" && p.breaks("tireless") {
		return &pluginv1.DrainResponse{}, true
	}
	return nil, false
}

// despite makes an answer of an error.
func (p *faulty) despite(m moment, err error) (proto.Message, error) {
	code := status.Code(err)
	switch {
	case m.call == "configure" && p.breaks("again"):
		return &pluginv1.ConfigureResponse{}, nil
	case m.call == "promote" && code == codes.InvalidArgument && p.breaks("steps"):
		return &pluginv1.PromoteResponse{}, nil
	case code == codes.Internal && p.breaks("stacks"):
		return nil, status.Error(codes.Internal, fmt.Sprintf("%v\n%s", err, debug.Stack()))
	default:
		return nil, err
	}
}

// breach changes an answer, or the bytes of it.
func (p *faulty) breach(response proto.Message) any {
	switch answer := response.(type) {
	case *pluginv1.DescribeResponse:
		p.misdescribe(answer)
	case *pluginv1.ValidateResponse:
		if p.breaks("pathless") {
			for _, one := range answer.GetDiagnostics() {
				one.Path = nil
			}
		}
	case *pluginv1.SnapshotResponse:
		if missing := sdk.MaxSnapshot + 1 - len(answer.GetSnapshot().GetState()); p.breaks("fat") && len(answer.GetSnapshot().GetState()) > 0 {
			answer.Snapshot.State = append(answer.Snapshot.State, bytes.Repeat([]byte(" "), missing)...)
		}
	case *pluginv1.DeployResponse:
		if p.breaks("handleless") {
			answer.Handle = nil
		}
	case *pluginv1.WatchResponse:
		p.breachWatch(answer)
	}
	if !p.breaks("garbled") {
		return response
	}
	text, err := proto.Marshal(response)
	if err != nil {
		return response // the codec says why
	}
	// What the SDK has put in the place of bytes that are no UTF-8.
	return wire.Raw(bytes.ReplaceAll(text, []byte(string(utf8.RuneError)), []byte{0xff, 0xfe, 0xfd}))
}

func (p *faulty) misdescribe(answer *pluginv1.DescribeResponse) {
	if p.breaks("nameless") {
		answer.Name = ""
	}
	if p.breaks("undeclared") {
		answer.Capabilities.Logs = false
	}
	if p.variant.Schema == contradicts {
		block := answer.GetConfig().GetBlock()
		block.Attributes = append(block.GetAttributes(), &pluginv1.Attribute{Name: "root", Type: "any", Required: true, DefaultJson: "1"})
	}
}

// maxEvents is how many events a message has at most.
const maxEvents = 64

func (p *faulty) breachWatch(batch *pluginv1.WatchResponse) {
	if first := batch.GetEvents(); p.breaks("bursts") && len(first) > 0 && first[0].GetLog() != nil {
		for len(batch.GetEvents()) <= maxEvents {
			batch.Events = append([]*pluginv1.WatchEvent{first[0]}, batch.GetEvents()...)
		}
	}
}

// more returns what comes after a message by the breach of a rule.
func (p *faulty) more(message proto.Message) (proto.Message, bool) {
	batch, ok := message.(*pluginv1.WatchResponse)
	if events := batch.GetEvents(); !ok || len(events) == 0 || events[len(events)-1].GetOutcome() == nil || !p.breaks("chatterbox") {
		return nil, false
	}
	return &pluginv1.WatchResponse{Events: lateEvents(nil)}, true
}

// silent says whether a message is one that the SDK sends and the rule keeps back.
func (p *faulty) silent(message proto.Message) bool {
	batch, ok := message.(*pluginv1.WatchResponse)
	return ok && len(batch.GetEvents()) == 1 && batch.GetEvents()[0].GetHeartbeat() != nil && p.breaks("silent")
}

// absent refuses calls of capabilities that the variant lacks.
func (p *faulty) absent(m moment) error {
	can := p.variant.capabilities()
	for call, has := range map[string]bool{
		"plan": can.Plan, "promote": can.Staged, "cancel": can.Cancel, callWatchTarget: can.WatchTarget, "logs": can.Logs, "inventory": can.Inventory,
	} {
		if call == m.call && !has {
			return sdk.Errorf(sdk.Unimplemented, sdk.ReasonUnspecified, "the plugin does not implement %s", m.call)
		}
	}
	return nil
}

// backwards lets progress fall.
func (p *faulty) backwards(ctx context.Context, sink sdk.Sink) error {
	for _, fraction := range []float64{0.9, 0.2} {
		if err := sink(sdk.Event{State: &sdk.State{Phase: sdk.PhaseProgressing, Message: "progress", Fraction: fraction, Resources: whole}}); err != nil {
			return err
		}
		p.faults.pause(ctx, spacing)
	}
	return nil
}
