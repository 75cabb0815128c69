package harness

import (
	"regexp"
	"strings"

	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
)

// End is how a deployment is to end.
type End struct {
	Status string
	// Reason is a regular expression that the reason line must match.
	Reason string
	// Path is every status that the deployment went through, in order.
	Path []string
}

// Paths that most deployments go.
var (
	Forward  = []string{"preparing", "deploying", "verifying", "completed"}
	GoneBack = []string{"preparing", "deploying", "verifying", "completed", "pending", "rolling_back", "rolled_back"}
)

// Ends waits for the end of a deployment and fails the test when it is another
// one, or when the seq of its events has a gap.
func (h *Host) Ends(id string, want End) apiv1.Deployment {
	h.t.Helper()
	d := h.Ended(id)
	if d.Status != want.Status || !regexp.MustCompile(want.Reason).MatchString(d.Reason) {
		h.t.Errorf("%s %s ended %s: %q; want %s: %q", d.Name, d.Version, d.Status, d.Reason, want.Status, want.Reason)
	}
	events := h.Events(id)
	if diff := cmp.Diff(want.Path, StatusPath(events)); diff != "" {
		h.t.Errorf("status path of %s %s (-want +got):\n%s", d.Name, d.Version, diff)
	}
	if uint64(len(events)) < d.Seq { // what is seen of it afterwards adds more
		h.t.Errorf("%s %s has seq %d and only %d events", d.Name, d.Version, d.Seq, len(events))
	}
	return d
}

// ComponentPath returns the statuses in events that a component went through, in
// order.
func ComponentPath(events []apiv1.Event, component string) []string {
	path := []string{}
	for _, e := range events {
		if e.Type == "component.status" && Field(e, "component") == component {
			path = append(path, Field(e, "status"))
		}
	}
	return path
}

// Course returns "started COMPONENT" and "finished COMPONENT" of the operations
// of a kind, deploy or rollback, in order.
func Course(events []apiv1.Event, kind string) []string {
	course := []string{}
	for _, e := range events {
		if what, ok := strings.CutPrefix(e.Type, "operation."); ok && Field(e, "kind") == kind {
			course = append(course, what+" "+Field(e, "component"))
		}
	}
	return course
}

// With is for Await: an event of a type whose data has a member of that value.
func With(kind, member, value string) func(apiv1.Event) bool {
	return func(e apiv1.Event) bool { return e.Type == kind && Field(e, member) == value }
}

// First returns the index of the first event that is, after others of them;
// -1: there is none.
func First(events []apiv1.Event, after int, is func(apiv1.Event) bool) int {
	for i := after + 1; i < len(events); i++ {
		if is(events[i]) {
			return i
		}
	}
	return -1
}

// Serves fails the test when another version answers at an address, and returns
// the pid of the instance that does.
func (h *Host) Serves(address, version string) (pid string) {
	h.t.Helper()
	got, pid, err := askInstance(address)
	if err != nil || got != version {
		h.t.Errorf("at %s version %q answers (pid %s), want %q: %v", address, got, pid, version, err)
	}
	return pid
}

// Answers returns nil when an application answers at an address.
func Answers(address string) error {
	_, err := askVersion(address)
	return err
}
