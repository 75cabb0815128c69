package deployment_test

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// payloads are the data of each type of event; that of snapshot is the status
// body, which the tests of the documentation read.
var payloads = map[deployment.EventType]any{
	deployment.EventAccepted:          &deployment.AcceptedPayload{},
	deployment.EventStatus:            &deployment.StatusPayload{},
	deployment.EventWaiting:           &deployment.WaitingPayload{},
	deployment.EventComponentStatus:   &deployment.ComponentStatusPayload{},
	deployment.EventOperationStarted:  &deployment.OperationPayload{},
	deployment.EventOperationFinished: &deployment.OperationPayload{},
	deployment.EventCandidateReady:    &deployment.CandidatePayload{},
	deployment.EventCandidatePromoted: &deployment.CandidatePayload{},
	deployment.EventResourceStatus:    &deployment.ResourcePayload{},
	deployment.EventCheckStatus:       &deployment.CheckPayload{},
	deployment.EventSnapshotTaken:     &deployment.SnapshotPayload{},
	deployment.EventVerdict:           &deployment.VerdictPayload{},
	deployment.EventEvidence:          &deployment.EvidencePayload{},
	deployment.EventTargetDrift:       &deployment.DriftPayload{},
	deployment.EventProgress:          &deployment.ProgressPayload{},
	deployment.EventLog:               &deployment.LogPayload{},
}

// TestReferenceShowsEveryPayload decodes the examples of docs/api-reference.md
// strictly, and looks for every member of every payload.
func TestReferenceShowsEveryPayload(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../../../docs/api-reference.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	shown := map[deployment.EventType]bool{}
	for _, m := range regexp.MustCompile("(?s)```json Event\n(.*?)```").FindAllStringSubmatch(text, -1) {
		var event deployment.Event
		if err := json.Unmarshal([]byte(m[1]), &event); err != nil {
			t.Errorf("%v:\n%s", err, m[1])
			continue
		}
		shown[event.Type] = true
		payload := payloads[event.Type]
		if payload == nil {
			continue
		}
		decoder := json.NewDecoder(strings.NewReader(string(event.Data)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(reflect.New(reflect.TypeOf(payload).Elem()).Interface()); err != nil {
			t.Errorf("data of %s: %v", event.Type, err)
		}
	}
	for kind, payload := range payloads {
		if !shown[kind] {
			t.Errorf("no example of %s", kind)
		}
		for _, name := range members(reflect.TypeOf(payload)) {
			if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, `"`+name+`"`) {
				t.Errorf("member %s of %s is not told", name, kind)
			}
		}
	}
}

// members are the names that a type has as JSON.
func members(of reflect.Type) []string {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || of.PkgPath() == "time" {
		return nil
	}
	var names []string
	for i := range of.NumField() {
		f := of.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
		names = append(names, members(f.Type)...)
	}
	return names
}
