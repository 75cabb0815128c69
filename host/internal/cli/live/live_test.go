package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/live"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	time.Local = time.UTC // the lines show local times
	m.Run()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// tape makes events, one second after the other.
type tape struct {
	t      *testing.T
	events []apiv1.Event
	seq    uint64
}

func (p *tape) add(kind deployment.EventType, data any) *tape {
	p.t.Helper()
	encoded, err := json.Marshal(data)
	if err != nil {
		p.t.Fatal(err)
	}
	e := apiv1.Event{Type: string(kind), DeploymentID: "d1", Data: encoded, Time: start.Add(time.Duration(len(p.events)) * time.Second)}
	switch kind {
	case deployment.EventSnapshot, deployment.EventProgress, deployment.EventLog:
		e.Ephemeral = true
	default:
		p.seq++
	}
	e.Seq = p.seq
	p.events = append(p.events, e)
	return p
}

func (p *tape) state() *live.State {
	p.t.Helper()
	s := &live.State{}
	for _, e := range p.events {
		if err := s.Apply(e); err != nil {
			p.t.Fatal(err)
		}
	}
	return s
}

// failing is a deployment of two components; the second one goes bad.
func failing(t *testing.T) *tape {
	p := &tape{t: t}
	p.add(deployment.EventSnapshot, apiv1.Deployment{
		ID: "d1", Name: "shop", Version: "v3", Environment: "production", Status: "pending", Reason: "accepted", Run: 1,
		Components: []apiv1.Component{{Name: "api", Platform: "process", Status: "pending"}, {Name: "web", Platform: "process", Status: "pending", DependsOn: []string{"api"}}},
	})
	p.add(deployment.EventStatus, deployment.StatusPayload{Run: 1, From: "pending", Status: "preparing", Reason: "has the lock"})
	p.add(deployment.EventSnapshotTaken, deployment.SnapshotPayload{Component: "api", Which: "before", Revision: "4"})
	p.add(deployment.EventStatus, deployment.StatusPayload{Run: 1, From: "preparing", Status: "deploying", Reason: "bringing up api, then web"})
	p.add(deployment.EventComponentStatus, deployment.ComponentStatusPayload{Component: "api", From: "pending", Status: "unchanged", Reason: "the same release runs"})
	p.add(deployment.EventComponentStatus, deployment.ComponentStatusPayload{Component: "web", From: "pending", Status: "deploying"})
	p.add(deployment.EventOperationStarted, deployment.OperationPayload{Component: "web", Operation: "o1", Kind: "deploy", Staged: true})
	p.add(deployment.EventCandidateReady, deployment.CandidatePayload{Component: "web", Operation: "o1", Revision: "5", Addresses: map[string]string{"http": "127.0.0.1:4001"}})
	p.add(deployment.EventResourceStatus, deployment.ResourcePayload{Component: "web", Resource: deployment.Resource{ID: "web", Kind: "Switch", Name: "web", Health: "ready", Desired: 2, Ready: 2}})
	p.add(deployment.EventResourceStatus, deployment.ResourcePayload{Component: "web", Resource: deployment.Resource{ID: "web-1", ParentID: "web", Kind: "process", Name: "web-1", Health: "ready"}})
	p.add(deployment.EventResourceStatus, deployment.ResourcePayload{Component: "web", Resource: deployment.Resource{ID: "web-2", ParentID: "web", Kind: "process", Name: "web-2", Health: "failed", Restarts: 3, Reason: "CRASH_LOOP", Message: "exit code 1, three times in 10 s"}})
	p.add(deployment.EventCheckStatus, deployment.CheckPayload{Component: "web", Name: "home", Type: "http", Status: "healthy", Message: "200 OK"})
	p.add(deployment.EventCheckStatus, deployment.CheckPayload{Component: "web", Name: "healthz", Type: "http", From: "healthy", Status: "unhealthy", Message: "503 Service Unavailable: \x1b[31mno connection\x1b[0m to the database"})
	p.add(deployment.EventCandidatePromoted, deployment.CandidatePayload{Component: "web", Operation: "o1", Percent: 10})
	for i := range 6 {
		p.add(deployment.EventLog, deployment.LogPayload{Component: "web", LogLine: deployment.LogLine{Resource: "web-2", Line: fmt.Sprintf("\x1b[2J%d panic: no database, and this line is long enough to be cut", i+1)}})
	}
	p.add(deployment.EventProgress, deployment.ProgressPayload{
		Progress: deployment.Progress{Percentage: 66.7, CurrentStep: 2, TotalSteps: 3, CurrentStage: "Moving the traffic to web"},
		ETA:      &deployment.ETA{Basis: deployment.BasisHistory, Earliest: start.Add(time.Minute), Latest: start.Add(2 * time.Minute)},
	})
	p.add(deployment.EventVerdict, deployment.VerdictPayload{Component: "web", Verdict: deployment.VerdictRollBack, Reason: "healthz failed 3 times in a row"})
	return p
}

func TestPicture(t *testing.T) {
	t.Parallel()
	waiting := &tape{t: t}
	waiting.add(deployment.EventSnapshot, apiv1.Deployment{
		ID: "d2", Name: "an-application-with-a-rather-long-name", Version: "v2.0.0-rc.1+build.5", Environment: "production", Status: "pending",
		Reason: "waits in the queue of the target", Run: 1, Waiting: &apiv1.Waiting{Kind: "lock", For: "550e8400-e29b-41d4-a716-446655440000", Position: 2},
		Components: []apiv1.Component{{Name: "web", Platform: "process", Status: "pending"}},
	})
	done := failing(t)
	done.add(deployment.EventStatus, deployment.StatusPayload{Run: 1, From: "deploying", Status: "rolling_back", Reason: "healthz failed 3 times in a row"})
	done.add(deployment.EventEvidence, deployment.EvidencePayload{Key: "e", Component: "web", Code: "CHECK_FAILED", Suggestion: "look at the database"})
	done.add(deployment.EventLog, deployment.LogPayload{Component: "web", LogLine: deployment.LogLine{Line: "cannot reach the database: connection refused", Time: start}})
	done.add(deployment.EventLog, deployment.LogPayload{Component: "web", LogLine: deployment.LogLine{Line: "of the old version, which comes back", Time: start.Add(time.Hour)}})
	done.add(deployment.EventComponentStatus, deployment.ComponentStatusPayload{Component: "web", From: "rolling_back", Status: "rolled_back"})
	done.add(deployment.EventStatus, deployment.StatusPayload{Run: 1, From: "rolling_back", Status: "rolled_back", Reason: "v2 runs again: healthz failed 3 times in a row"})

	for name, p := range map[string]*tape{"failing": failing(t), "waiting": waiting, "done": done} {
		for _, size := range [][2]int{{40, 10}, {80, 24}, {120, 40}} {
			width, height := size[0], size[1]
			t.Run(fmt.Sprintf("%s %dx%d", name, width, height), func(t *testing.T) {
				t.Parallel()
				picture := p.state().Picture(width, height, start.Add(20*time.Second), false)
				checkFits(t, picture, width, height)
				golden(t, fmt.Sprintf("%s_%dx%d", name, width, height), picture+"\n")
				coloured := p.state().Picture(width, height, start.Add(20*time.Second), true)
				if ansi.Strip(coloured) != picture {
					t.Errorf("colour changes the text:\n%s", ansi.Strip(coloured))
				}
			})
		}
	}
}

func checkFits(t *testing.T, picture string, width, height int) {
	t.Helper()
	lines := strings.Split(picture, "\n")
	if len(lines) > height {
		t.Errorf("%d lines in %d", len(lines), height)
	}
	for _, line := range lines {
		if got := ansi.StringWidth(line); got > width {
			t.Errorf("line of %d cells in %d: %q", got, width, line)
		}
		checkPlain(t, line)
	}
}

func checkPlain(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' {
			t.Errorf("control character %q in %q", r, text)
		}
	}
}

// Whatever the size, the picture fits and shows the status.
func TestPictureFitsEverySize(t *testing.T) {
	t.Parallel()
	state := failing(t).state()
	for width := 20; width <= 130; width += 3 {
		for height := 5; height <= 45; height++ {
			picture := state.Picture(width, height, start, false)
			checkFits(t, picture, width, height)
			if !strings.Contains(picture, "deploying") {
				t.Errorf("%dx%d does not show the status:\n%s", width, height, picture)
			}
		}
	}
}

func TestEveryEventTypeHasALine(t *testing.T) {
	t.Parallel()
	p := failing(t)
	p.add(deployment.EventAccepted, deployment.AcceptedPayload{Name: "shop", Version: "v3", Environment: "production", Actor: "ci"})
	p.add(deployment.EventWaiting, deployment.WaitingPayload{Waiting: &deployment.Waiting{Kind: deployment.WaitPlugin, For: `platform "process" is broken: exit status 1`}})
	p.add(deployment.EventWaiting, deployment.WaitingPayload{})
	p.add(deployment.EventOperationFinished, deployment.OperationPayload{Component: "web", Operation: "o1", Kind: "deploy", Result: "cancelled"})
	p.add(deployment.EventEvidence, deployment.EvidencePayload{Component: "web", Code: "CRASH_LOOP", Resource: "web-2", Suggestion: "look at the last lines"})
	p.add(deployment.EventTargetDrift, deployment.DriftPayload{Component: "web", By: "alice", Message: "scaled to 5"})
	p.add(deployment.EventTargetDrift, deployment.DriftPayload{Component: "web", Resolved: true})
	p.add("of.a.newer.host", map[string]int{"a": 1})
	var lines []string
	for _, e := range p.events {
		if line := live.Line(e); line != "" {
			lines = append(lines, line)
		} else if !e.Ephemeral && e.Type != "of.a.newer.host" {
			t.Errorf("no line for %s", e.Type)
		}
	}
	text := strings.Join(lines, "\n") + "\n"
	checkPlain(t, text)
	golden(t, "lines", text)
}

// play streams the events of a tape and then says nothing more.
func play(events ...apiv1.Event) live.Stream {
	return func(ctx context.Context, yield func(apiv1.Event) error) error {
		for _, e := range events {
			if err := yield(e); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return ctx.Err()
	}
}

func TestFollowPlain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := failing(t)
		p.add(deployment.EventStatus, deployment.StatusPayload{Run: 1, From: "deploying", Status: "rolled_back", Reason: "v2 runs again"})
		var out strings.Builder
		state, err := live.Follow(t.Context(), play(p.events...), live.Config{Out: output.Writer{Writer: &out}})
		if err != nil || state.Status != "rolled_back" {
			t.Fatalf("follow: %v, status %q", err, state.Status)
		}
		checkPlain(t, out.String())
		if !strings.HasSuffix(out.String(), "deploying → rolled_back: v2 runs again\n") {
			t.Errorf("last line of %q", out.String())
		}
	})
}

func TestFollowSaysThatItStillGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 95*time.Second)
		defer cancel()
		var out strings.Builder
		_, err := live.Follow(ctx, play(failing(t).events...), live.Config{Out: output.Writer{Writer: &out}})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("follow: %v", err)
		}
		if got := strings.Count(out.String(), "still deploying, 66.7%, step 2 of 3, Moving the traffic to web"); got != 3 {
			t.Errorf("%d lines say that it goes on, want one each 30 s:\n%s", got, out.String())
		}
	})
}

// A rollback of a completed deployment is a new run: the old end is not its end,
// whether it waits for its turn already or not yet.
func TestFollowWaitsForItsRun(t *testing.T) {
	t.Parallel()
	ended := start
	for name, body := range map[string]apiv1.Deployment{
		"asked for": {ID: "d1", Status: "completed", Run: 1, Seq: 7, EndedAt: &ended},
		"waiting":   {ID: "d1", Status: "pending", Reason: "rollback asked for by ci", Run: 2, Seq: 7},
	} {
		for end, reason := range map[deployment.Status]string{
			deployment.RolledBack: "restored", deployment.Completed: "a rollback was refused: deployment d2 is current by now",
		} {
			t.Run(name+", "+string(end), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := &tape{t: t, seq: 7}
					p.add(deployment.EventSnapshot, body)
					p.add(deployment.EventStatus, deployment.StatusPayload{Run: 2, From: "completed", Status: "pending"})
					p.add(deployment.EventStatus, deployment.StatusPayload{Run: 2, From: "pending", Status: end, Reason: reason})
					var out strings.Builder
					state, err := live.Follow(t.Context(), play(p.events...), live.Config{Run: 2, Out: output.Writer{Writer: &out}})
					if err != nil || state.Status != string(end) || state.Run != 2 || state.Reason != reason {
						t.Fatalf("follow: %v, %q of run %d: %s", err, state.Status, state.Run, state.Reason)
					}
				})
			})
		}
	}
}

// With a replay the status body is newer than the events that follow: each is
// shown, none sets the state back.
func TestFollowReplays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := start
		p := &tape{t: t}
		p.add(deployment.EventSnapshot, apiv1.Deployment{ID: "d1", Status: "completed", Run: 1, Seq: 3, EndedAt: &ended})
		p.add(deployment.EventAccepted, deployment.AcceptedPayload{Name: "shop", Version: "v3", Environment: "production", Actor: "ci"})
		p.add(deployment.EventStatus, deployment.StatusPayload{Run: 1, From: "pending", Status: "preparing"})
		p.add(deployment.EventStatus, deployment.StatusPayload{Run: 1, From: "preparing", Status: "completed"})
		var out strings.Builder
		state, err := live.Follow(t.Context(), play(p.events...), live.Config{Run: 1, Replay: true, Out: output.Writer{Writer: &out}})
		if err != nil || state.Status != "completed" {
			t.Fatalf("follow: %v, %q", err, state.Status)
		}
		if got := strings.Count(out.String(), "\n"); got != 3 {
			t.Errorf("%d lines, want 3:\n%s", got, out.String())
		}
	})
}

func TestFollowReturnsTheStreamsError(t *testing.T) {
	t.Parallel()
	broken := errors.New("forbidden")
	stream := func(context.Context, func(apiv1.Event) error) error { return broken }
	if _, err := live.Follow(t.Context(), stream, live.Config{Out: output.Writer{Writer: &strings.Builder{}}}); !errors.Is(err, broken) {
		t.Errorf("follow: %v", err)
	}
}

func TestFollowGivesEventsToPrograms(t *testing.T) {
	t.Parallel()
	p := failing(t)
	p.add(deployment.EventStatus, deployment.StatusPayload{Run: 1, From: "deploying", Status: "failed"})
	var got []apiv1.Event
	_, err := live.Follow(t.Context(), play(p.events...), live.Config{Event: func(e apiv1.Event) error {
		got = append(got, e)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.events, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestWithEvidenceAddsTheLinesThatTell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &tape{t: t}
		p.add(deployment.EventSnapshot, apiv1.Deployment{ID: "d1", Status: "verifying", Run: 1})
		p.add(deployment.EventEvidence, deployment.EvidencePayload{Component: "web", Code: "CHECK_FAILED"})
		p.add(deployment.EventStatus, deployment.StatusPayload{Run: 1, From: "verifying", Status: "failed"})
		stream := live.WithEvidence(play(p.events...), func(context.Context) (apiv1.EvidenceList, error) {
			return apiv1.EvidenceList{Evidence: []apiv1.Evidence{{Component: "web", Logs: []apiv1.LogLine{{Line: "out of memory", Time: start}}}}}, nil
		})
		state, err := live.Follow(t.Context(), stream, live.Config{Out: output.Writer{Writer: &strings.Builder{}}})
		if err != nil || len(state.Logs["web"]) != 1 || state.Logs["web"][0].Line != "out of memory" {
			t.Fatalf("follow: %v, lines %v", err, state.Logs)
		}
		denied := live.WithEvidence(play(p.events...), func(context.Context) (apiv1.EvidenceList, error) {
			return apiv1.EvidenceList{}, errors.New("needs a token")
		})
		if _, err := live.Follow(t.Context(), denied, live.Config{Out: output.Writer{Writer: &strings.Builder{}}}); err != nil {
			t.Fatalf("follow without a token: %v", err)
		}
	})
}
