package wire

import (
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
)

// event reads a WatchEvent. Resources and log lines are read by hand, their texts
// parts of one string, data again where there is none; protobuf reads all that is of
// another kind, or written in a way that no usual encoder has, and says what is wrong
// with the rest.
func (b *batch) event(data []byte, text string) (sdk.Event, error) {
	if text == "" {
		text = string(data)
	}
	r := reader{left: text}
	var event sdk.Event
	for r.more() {
		switch number := r.field(); number {
		case fieldObservedAt:
			r.refuse(!event.ObservedAt.IsZero())
			event.ObservedAt = decodeTime(&r)
		case fieldResource:
			r.refuse(event.Log != nil || event.Resource != nil)
			event.Resource = b.resources.take()
			decodeResource(&r, event.Resource)
		case fieldLog:
			r.refuse(event.Log != nil || event.Resource != nil)
			event.Log = b.logs.take()
			decodeLog(&r, event.Log)
		default:
			r.refuse(true)
		}
	}
	if !r.bad && (event.Resource != nil || event.Log != nil) {
		return event, nil
	}
	var whole pluginv1.WatchEvent
	if err := proto.Unmarshal(data, &whole); err != nil {
		return sdk.Event{}, err
	}
	return eventFromProto(&whole), nil
}

func decodeResource(outer *reader, resource *sdk.Resource) {
	r := outer.message()
	for r.more() {
		switch r.field() {
		case fieldResourceID:
			resource.ID = r.text()
		case fieldResourceParentID:
			resource.ParentID = r.text()
		case fieldResourceKind:
			resource.Kind = r.text()
		case fieldResourceName:
			resource.Name = r.text()
		case fieldResourceRevision:
			resource.Revision = r.text()
		case fieldResourceHealth:
			resource.Health = sdk.ResourceHealth(int32(r.number()))
		case fieldResourceDesired:
			resource.Desired = uint32(r.number())
		case fieldResourceReady:
			resource.Ready = uint32(r.number())
		case fieldResourceRestarts:
			resource.Restarts = uint32(r.number())
		case fieldResourceReason:
			resource.Reason = r.text()
		case fieldResourceMessage:
			resource.Message = r.text()
		default:
			r.refuse(true)
		}
	}
	outer.refuse(r.bad)
}

func decodeLog(outer *reader, line *sdk.LogLine) {
	r := outer.message()
	for r.more() {
		switch r.field() {
		case fieldLogResource:
			line.Resource = r.text()
		case fieldLogLine:
			line.Line = r.text()
		case fieldLogPrevious:
			line.Previous = r.number() != 0
		case fieldLogTime:
			r.refuse(!line.Time.IsZero())
			line.Time = decodeTime(&r)
		case fieldLogStream:
			line.Stream = r.text()
		default:
			r.refuse(true)
		}
	}
	outer.refuse(r.bad)
}

func decodeTime(outer *reader) time.Time {
	r := outer.message()
	var seconds, nanos int64
	for r.more() {
		switch r.field() {
		case fieldSeconds:
			seconds = int64(r.number())
		case fieldNanos:
			nanos = int64(int32(r.number()))
		default:
			r.refuse(true)
		}
	}
	outer.refuse(r.bad)
	return time.Unix(seconds, nanos).UTC()
}

// reader reads the fields of a message, as long as they are what a usual encoder
// writes. After the first that is not it is bad and has no more.
type reader struct {
	left string
	kind protowire.Type // of the field whose value comes next
	bad  bool
}

func (r *reader) more() bool { return !r.bad && r.left != "" }

func (r *reader) refuse(when bool) { r.bad = r.bad || when }

func (r *reader) field() protowire.Number {
	tag := r.varint()
	number, kind := protowire.DecodeTag(tag)
	r.kind = kind
	return number
}

func (r *reader) number() uint64 {
	r.refuse(r.kind != protowire.VarintType)
	return r.varint()
}

func (r *reader) text() string {
	text := r.bytes()
	r.refuse(!utf8.ValidString(text))
	return text
}

func (r *reader) message() reader { return reader{left: r.bytes(), bad: r.bad} }

func (r *reader) bytes() string {
	r.refuse(r.kind != protowire.BytesType)
	n := r.varint()
	if r.refuse(n > uint64(len(r.left))); r.bad {
		return ""
	}
	value := r.left[:n]
	r.left = r.left[n:]
	return value
}

func (r *reader) varint() uint64 {
	if r.left != "" && r.left[0] < 0x80 { // nearly all are that short
		value := r.left[0]
		r.left = r.left[1:]
		return uint64(value)
	}
	return r.longVarint()
}

func (r *reader) longVarint() uint64 {
	var value uint64
	for i := 0; i < len(r.left) && i < 10; i++ {
		b := r.left[i]
		value |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			r.refuse(i == 9 && b > 1) // of 64 bits one is left
			r.left = r.left[i+1:]
			return value
		}
	}
	r.bad = true
	return 0
}
