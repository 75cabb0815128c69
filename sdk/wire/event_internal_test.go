package wire

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 345, time.UTC)

func sampleEvents() map[string]sdk.Event {
	return map[string]sdk.Event{
		"nothing": {},
		"resource": {ObservedAt: noon, Resource: &sdk.Resource{
			ID: "a", ParentID: "b", Kind: "Pod", Name: "c", Revision: "d", Health: sdk.ResourceFailed,
			Desired: 3, Ready: 2, Restarts: 1 << 31, Reason: "CRASH_LOOP", Message: "it ends",
		}},
		"resource without anything": {Resource: &sdk.Resource{}},
		"resource, not UTF-8":       {ObservedAt: noon, Resource: &sdk.Resource{ID: "a\xff", Message: "\xc3"}},
		"resource, unknown health":  {ObservedAt: noon, Resource: &sdk.Resource{ID: "a", Health: 99}},
		"log": {ObservedAt: noon, Log: &sdk.LogLine{
			Resource: "a", Line: "hello", Previous: true, Time: noon.Add(-time.Hour), Stream: "stderr",
		}},
		"log before 1970":      {ObservedAt: noon, Log: &sdk.LogLine{Line: "old", Time: time.Unix(-5, 7)}},
		"log at 1970":          {ObservedAt: time.Unix(0, 0), Log: &sdk.LogLine{Line: "old", Time: time.Unix(0, 0)}},
		"log, not UTF-8":       {ObservedAt: noon, Log: &sdk.LogLine{Line: "a\xffb"}},
		"log of many bytes":    {ObservedAt: noon, Log: &sdk.LogLine{Line: string(make([]byte, 2*maxLogLine))}},
		"state and a resource": {ObservedAt: noon, State: &sdk.State{Message: "x"}, Resource: &sdk.Resource{ID: "a"}},
		"dropped":              {ObservedAt: noon, DroppedLogLines: 7},
		"drift":                {ObservedAt: noon, Drift: &sdk.Drift{By: "kubectl", Undone: true}},
		"outcome":              {ObservedAt: noon, Outcome: &sdk.Outcome{Result: sdk.ResultFailed, Failure: &sdk.Failure{Code: "OOM_KILLED"}}},
	}
}

// What is written by hand is what protobuf would have written.
func TestEventsAreEncodedAsProtobufDoes(t *testing.T) {
	t.Parallel()
	for name, event := range sampleEvents() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := appendEvent(nil, &event, event.ObservedAt)
			if err != nil {
				t.Fatal(err)
			}
			want := eventToProto(event)
			sanitize(want.ProtoReflect())
			if want.GetEvent() == nil {
				if data != nil {
					t.Errorf("%d bytes for nothing", len(data))
				}
				return
			}
			var got pluginv1.WatchEvent
			if err := proto.Unmarshal(data, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, &got, protocmp.Transform()); diff != "" {
				t.Errorf("-protobuf +ours\n%s", diff)
			}
		})
	}
}

// FuzzDecodeEvent: whatever arrives, it is read as protobuf would read it, and
// refused where protobuf would.
func FuzzDecodeEvent(f *testing.F) {
	for _, event := range sampleEvents() {
		data, err := proto.Marshal(eventToProtoValid(event))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(append(data, data...))                     // each field twice
		f.Add(append(data, 0xf8, 0x07, 0x01))            // and an unknown one
		f.Add(data[:len(data)/2])                        // cut
		f.Add(append([]byte{0x0a, 0x01, 0x08}, data...)) // a time that ends in the middle
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var whole pluginv1.WatchEvent
		wantErr := proto.Unmarshal(data, &whole)
		got, err := new(batch).event(data, "")
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("protobuf: %v, ours: %v", wantErr, err)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(eventFromProto(&whole), got); diff != "" {
			t.Errorf("-protobuf +ours\n%s", diff)
		}
	})
}

func eventToProtoValid(e sdk.Event) *pluginv1.WatchEvent {
	out := eventToProto(e)
	sanitize(out.ProtoReflect())
	return out
}
