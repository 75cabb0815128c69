package fake

import (
	"bytes"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk/wire"
)

// neverGiven is an operation id that no host has made.
const neverGiven = "operation-that-was-never-given"

// mangle makes of an answer what the faults make of it.
func (p *faulty) mangle(m moment, response proto.Message) any {
	m.after, m.sent = false, 0 // the answer is neither before nor after
	p.mistake(m, response)
	if batch, ok := response.(*pluginv1.WatchResponse); ok && p.faults.lasting(kindLie, lieLate, m.target, m.kind) {
		addLate(batch)
	}
	out := p.breach(response)
	for one := range p.faults.strikes(m, kindOversize, kindGarble) {
		switch one.kind() {
		case kindOversize:
			fatten(response, one.Bytes)
		case kindGarble:
			out = garble(response)
		}
	}
	return out
}

// mistake names operations that are not the host's.
func (p *faulty) mistake(m moment, response proto.Message) {
	if !p.faults.lasting(kindMistake, mistakeOperation, m.target, m.kind) {
		return
	}
	switch answer := response.(type) {
	case *pluginv1.DrainResponse:
		answer.InFlight = append(answer.InFlight, neverGiven)
	case *pluginv1.InventoryResponse:
		for _, item := range answer.GetItems() {
			item.OperationId = neverGiven
		}
	}
}

// addLate adds events after the outcome.
func addLate(batch *pluginv1.WatchResponse) {
	n := len(batch.GetEvents())
	if n == 0 || batch.GetEvents()[n-1].GetOutcome() == nil {
		return
	}
	batch.Events = append(batch.Events, lateEvents(batch.GetEvents()[n-1].GetObservedAt())...)
}

func lateEvents(at *timestamppb.Timestamp) []*pluginv1.WatchEvent {
	return []*pluginv1.WatchEvent{
		{ObservedAt: at, Event: &pluginv1.WatchEvent_Resource{Resource: &pluginv1.ResourceStatus{
			Id: "late", Kind: "file", Health: pluginv1.ResourceHealth_RESOURCE_HEALTH_FAILED, Message: "came after the outcome",
		}}},
		{ObservedAt: at, Event: &pluginv1.WatchEvent_Outcome{Outcome: &pluginv1.Outcome{
			Result: pluginv1.Outcome_RESULT_FAILED, Message: "another outcome after the first",
		}}},
	}
}

// fatten adds a field that nobody knows.
func fatten(message proto.Message, size int) {
	const field = 9999
	if size == 0 {
		size = 16<<20 + 1
	}
	m := message.ProtoReflect()
	unknown := protowire.AppendTag(bytes.Clone(m.GetUnknown()), field, protowire.BytesType)
	m.SetUnknown(protowire.AppendBytes(unknown, make([]byte, size)))
}

// mark is put where a text is to be no UTF-8, and scar takes its place.
var (
	mark = "\uE000garbled\uE000"
	scar = append(append([]byte{0xff, 0xfe, 0xfd}, "garbled"...), 0xff, 0xfe, 0xfd)
)

// garble returns a message whose first text is no UTF-8.
func garble(message proto.Message) any {
	spoiled := proto.Clone(message)
	if !spoil(spoiled.ProtoReflect()) {
		return message
	}
	text, err := proto.Marshal(spoiled)
	if err != nil {
		panic(fmt.Sprintf("marshal what was a message: %v", err))
	}
	return wire.Raw(bytes.ReplaceAll(text, []byte(mark), scar))
}

// spoil marks a text of a message: one that is there, else one that could be.
func spoil(m protoreflect.Message) (found bool) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap():
		case field.IsList() && field.Kind() == protoreflect.MessageKind:
			for i := range value.List().Len() {
				if found = spoil(value.List().Get(i).Message()); found {
					break
				}
			}
		case field.IsList():
		case field.Kind() == protoreflect.StringKind:
			m.Set(field, protoreflect.ValueOfString(strings.TrimSpace(value.String()+" "+mark)))
			found = true
		case field.Kind() == protoreflect.MessageKind:
			found = spoil(value.Message())
		}
		return !found
	})
	fields := m.Descriptor().Fields()
	for i := 0; !found && i < fields.Len(); i++ {
		if field := fields.Get(i); field.Kind() == protoreflect.StringKind && !field.IsMap() && !field.IsList() && field.ContainingOneof() == nil {
			m.Set(field, protoreflect.ValueOfString(mark))
			found = true
		}
	}
	return found
}
