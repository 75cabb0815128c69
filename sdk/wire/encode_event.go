package wire

import (
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/apm-deploy/apm/sdk"
)

// The fields of WatchEvent and below that are written and read by hand, as
// platform.proto has them.
const (
	fieldObservedAt protowire.Number = 1
	fieldResource   protowire.Number = 3
	fieldLog        protowire.Number = 4

	fieldSeconds protowire.Number = 1
	fieldNanos   protowire.Number = 2

	fieldResourceID       protowire.Number = 1
	fieldResourceParentID protowire.Number = 2
	fieldResourceKind     protowire.Number = 3
	fieldResourceName     protowire.Number = 4
	fieldResourceRevision protowire.Number = 5
	fieldResourceHealth   protowire.Number = 6
	fieldResourceDesired  protowire.Number = 7
	fieldResourceReady    protowire.Number = 8
	fieldResourceRestarts protowire.Number = 9
	fieldResourceReason   protowire.Number = 10
	fieldResourceMessage  protowire.Number = 11

	fieldLogResource protowire.Number = 1
	fieldLogLine     protowire.Number = 2
	fieldLogPrevious protowire.Number = 3
	fieldLogTime     protowire.Number = 4
	fieldLogStream   protowire.Number = 5
)

// appendEvent appends a WatchEvent as it goes over the wire, with valid text, and
// nothing for one that is not to be sent. Resources and log lines, of which there
// are many, are written by hand: through protobuf's reflection they cost several
// times as much. An event without a time is of now.
func appendEvent(b []byte, e *sdk.Event, now time.Time) ([]byte, error) {
	var scratch [512]byte
	at := e.ObservedAt
	if at.IsZero() {
		at = now
	}
	switch {
	case e.State != nil:
	case e.Resource != nil:
		return appendWithin(b, fieldResource, appendResource(scratch[:0], e.Resource), at), nil
	case e.Log != nil:
		return appendWithin(b, fieldLog, appendLog(scratch[:0], e.Log), at), nil
	}
	dated := *e
	dated.ObservedAt = at
	out := eventToProto(dated)
	if out.GetEvent() == nil {
		return b, nil
	}
	sanitize(out.ProtoReflect())
	return proto.MarshalOptions{}.MarshalAppend(b, out)
}

// appendWithin appends a WatchEvent with one kind of event.
func appendWithin(b []byte, field protowire.Number, kind []byte, at time.Time) []byte {
	b = appendTime(b, fieldObservedAt, at)
	b = appendLength(b, field, len(kind))
	return append(b, kind...)
}

func appendResource(b []byte, r *sdk.Resource) []byte {
	b = appendText(b, fieldResourceID, r.ID)
	b = appendText(b, fieldResourceParentID, r.ParentID)
	b = appendText(b, fieldResourceKind, r.Kind)
	b = appendText(b, fieldResourceName, r.Name)
	b = appendText(b, fieldResourceRevision, r.Revision)
	b = appendNumber(b, fieldResourceHealth, uint64(r.Health))
	b = appendNumber(b, fieldResourceDesired, uint64(r.Desired))
	b = appendNumber(b, fieldResourceReady, uint64(r.Ready))
	b = appendNumber(b, fieldResourceRestarts, uint64(r.Restarts))
	b = appendText(b, fieldResourceReason, r.Reason)
	return appendText(b, fieldResourceMessage, r.Message)
}

func appendLog(b []byte, l *sdk.LogLine) []byte {
	b = appendText(b, fieldLogResource, l.Resource)
	b = appendText(b, fieldLogLine, shorten(l.Line, maxLogLine))
	if l.Previous {
		b = appendNumber(b, fieldLogPrevious, 1)
	}
	b = appendTime(b, fieldLogTime, l.Time)
	return appendText(b, fieldLogStream, l.Stream)
}

func appendText(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	if !utf8.ValidString(s) {
		s = validText(s)
	}
	b = appendLength(b, field, len(s))
	return append(b, s...)
}

// appendLength writes the tag of what has a length, and that. Nearly all are one byte
// each.
func appendLength(b []byte, field protowire.Number, length int) []byte {
	if field < 1<<4 && length < 1<<7 {
		return append(b, byte(field)<<3|byte(protowire.BytesType), byte(length))
	}
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendVarint(b, uint64(length))
}

func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	b = protowire.AppendTag(b, field, protowire.VarintType)
	return protowire.AppendVarint(b, n)
}

// appendTime writes a google.protobuf.Timestamp; no time is no field.
func appendTime(b []byte, field protowire.Number, at time.Time) []byte {
	if at.IsZero() {
		return b
	}
	var scratch [24]byte
	stamp := appendNumber(scratch[:0], fieldSeconds, uint64(at.Unix()))
	stamp = appendNumber(stamp, fieldNanos, uint64(at.Nanosecond()))
	b = appendLength(b, field, len(stamp))
	return append(b, stamp...)
}
