package follow

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// eventRecord is an event, below what it is about.
type eventRecord struct {
	head
	event picture.Event
}

// common are events of a day on which all goes well; they are not kept.
var common = map[string]bool{
	"Scheduled": true, "Pulling": true, "Pulled": true, "Created": true, "Started": true,
	"SuccessfulCreate": true, "SuccessfulDelete": true, "ScalingReplicaSet": true, "SawCompletedJob": true,
	"NoPods": true, "LeaderElection": true, "SuccessfulRescale": true,
}

// shown is how many events a picture has of one thing.
const shown = 20

// event returns nil for one that nobody reads.
func (r *reader) event(e *corev1.Event) *eventRecord {
	if e.Type == corev1.EventTypeNormal && common[e.Reason] {
		return nil
	}
	about := e.InvolvedObject
	record := &eventRecord{
		head: head{
			name: e.Name, uid: string(e.UID), version: e.ResourceVersion,
			parent: parent{kind: r.one(about.Kind), name: r.one(about.Name), uid: r.one(string(about.UID))},
		},
		event: picture.Event{
			Type: r.one(e.Type), Reason: r.one(e.Reason), Message: e.Message, Count: max(e.Count, 1),
			At: e.LastTimestamp.Time,
			Object: picture.Ref{
				APIVersion: r.one(about.APIVersion), Kind: r.one(about.Kind), Namespace: r.one(about.Namespace),
				Name: r.one(about.Name), UID: r.one(string(about.UID)),
			},
		},
	}
	switch {
	case e.Series != nil:
		record.event.Count, record.event.At = max(e.Series.Count, 1), e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
	case !e.EventTime.IsZero():
		record.event.At = e.EventTime.Time
	default:
		record.event.At = e.CreationTimestamp.Time
	}
	// spec.containers{app}
	if _, rest, ok := strings.Cut(about.FieldPath, "ontainers{"); ok {
		record.event.Container = r.one(strings.TrimSuffix(rest, "}"))
	}
	return record
}

// newestLast returns the events of records in order, the last ones if there are many.
func newestLast(records []record) []picture.Event {
	if len(records) == 0 {
		return nil
	}
	events := make([]picture.Event, 0, len(records))
	for _, r := range only[*eventRecord](records) {
		events = append(events, r.event)
	}
	slices.SortFunc(events, func(a, b picture.Event) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Object.Name, b.Object.Name), cmp.Compare(a.Message, b.Message))
	})
	return events[max(0, len(events)-shown):]
}
