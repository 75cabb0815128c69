package recordtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
	"github.com/apm-deploy/apm/sdk"
)

// Wherever the last process was when it was killed, the next one goes on from the cluster
// alone, and does nothing twice that was written down.
func testKilled(t *testing.T, place Place) {
	for name, crash := range map[string]func(ctx context.Context, r *rig, w *record.Work) error{
		"accepted": func(context.Context, *rig, *record.Work) error { return nil },
		"a step":   func(ctx context.Context, _ *rig, w *record.Work) error { return w.Reach(ctx, "drawn") },
		"the effect": func(ctx context.Context, r *rig, w *record.Work) error {
			return errors.Join(r.effect(ctx, "a"), w.Reach(ctx, "made"))
		},
		"served, not ended": func(ctx context.Context, r *rig, w *record.Work) error {
			return errors.Join(r.effect(ctx, "a"), w.Do(ctx, func(s *record.Record, o *record.Operation) error {
				o.Reach("made")
				s.Serve(o, "digest of v-one")
				return o.Note(map[string]string{"note": "kept"})
			}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := newRig(t, place)
			stopped := make(chan error, 1)
			first.drives(func(ctx context.Context, w *record.Work) error {
				stopped <- crash(ctx, first, w)
				<-ctx.Done()
				return ctx.Err()
			})
			first.accept(op("a", 1), "one")
			if err := <-stopped; err != nil {
				t.Fatal(err)
			}
			first.line.breaks(func(*http.Request) error { return errDown }, nil) // as good as dead: it lives on, and reaches nothing
			r := first.next()
			recovery, err := r.Recover(r.ctx(), sdk.RecoverRequest{Operation: op("a", 1)}, nothing)
			if err != nil || recovery.Status != sdk.RecoverRunning || string(recovery.Handle.State) != "a" {
				t.Fatalf("Recover: %+v %v", recovery, err)
			}
			r.ends("a", sdk.ResultSucceeded)
			if n := r.effects("a"); n != 1 {
				t.Errorf("%d effects", n)
			}
			noted := map[string]string{}
			if err := r.read().Operation("a").Noted(&noted); err != nil || (name == "served, not ended") != (noted["note"] == "kept") {
				t.Errorf("noted %v, %v", noted, err)
			}
			recovery, err = r.Recover(r.ctx(), sdk.RecoverRequest{Operation: op("a", 2)}, nothing)
			if err != nil || recovery.Status != sdk.RecoverFinished || recovery.Outcome.Outputs["text"] != "v-one" {
				t.Errorf("Recover of what ended: %+v %v", recovery, err)
			}
		})
	}
}

// After Recover no call of an earlier owner lands, nor does a step of one who drives on.
func testFenced(t *testing.T, place Place) {
	first := newRig(t, place)
	stopped, resume, steps := make(chan struct{}), make(chan struct{}), make(chan error)
	first.drives(func(ctx context.Context, w *record.Work) error {
		close(stopped)
		<-resume
		err := w.Do(ctx, func(*record.Record, *record.Operation) error { return errors.New("it was let in") })
		steps <- err
		return err
	})
	first.accept(op("a", 1), "one")
	<-stopped
	second := first.next()
	second.drives(func(ctx context.Context, _ *record.Work) error { <-ctx.Done(); return ctx.Err() })
	recovery, err := second.Recover(second.ctx(), sdk.RecoverRequest{Operation: op("a", 1)}, nothing) // the host is the same
	if err != nil || recovery.Status != sdk.RecoverRunning {
		t.Fatalf("Recover: %+v %v", recovery, err)
	}
	close(resume)
	if err := <-steps; !errors.Is(err, record.ErrUnwanted) {
		t.Errorf("a step of the earlier process: %v", err)
	}
	recovery, err = second.Recover(second.ctx(), sdk.RecoverRequest{Operation: op("b", 2)}, nothing)
	if err != nil || recovery.Status != sdk.RecoverNotStarted {
		t.Fatalf("Recover: %+v %v", recovery, err)
	}
	second.refused("Accept by the earlier owner", first.try(op("b", 1), "two"), sdk.ReasonStaleEpoch)
}

func testRecoverUnknown(t *testing.T, place Place) {
	for name, tc := range map[string]struct {
		data  map[string][]byte // of the Secret; nil: there is none
		trace string
		want  sdk.RecoverStatus
	}{
		"nothing":          {nil, "", sdk.RecoverNotStarted},
		"traces, no stamp": {nil, "there is a Deployment of ours", sdk.RecoverUnknown},
		"broken":           {map[string][]byte{"format": []byte("1"), "record": []byte("no gzip")}, "", sdk.RecoverUnknown},
		"newer":            {map[string][]byte{"format": []byte("99")}, "", sdk.RecoverUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, place)
			if tc.data != nil {
				secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: record.NameOf(identity)}, Data: tc.data}
				if _, err := r.cluster.Typed().CoreV1().Secrets(r.namespace).Create(r.ctx(), secret, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the first must not make the second know better
				recovery, err := r.Recover(r.ctx(), sdk.RecoverRequest{Operation: op("a", 1)}, func(context.Context) (string, error) { return tc.trace, nil })
				if err != nil || recovery.Status != tc.want || (recovery.Message == "") != (tc.want == sdk.RecoverNotStarted) {
					t.Errorf("Recover: %+v %v", recovery, err)
				}
				if tc.want == sdk.RecoverNotStarted {
					break // it is written down now
				}
			}
			if name == "newer" {
				if err := r.try(op("a", 1), "one"); !errors.Is(err, record.ErrNewer) || sdk.CodeOf(err) != sdk.FailedPrecondition {
					t.Errorf("Accept: %v", err)
				}
			}
		})
	}
	r := newRig(t, place)
	_, err := r.Recover(r.ctx(), sdk.RecoverRequest{Operation: op("a", 1)}, func(context.Context) (string, error) { return "", sdk.Errorf(sdk.Unavailable, "", "could not look") })
	if sdk.CodeOf(err) != sdk.Unavailable {
		t.Errorf("Recover where traces cannot be looked for: %v", err)
	}
}

// What goes wrong with the work ends the operation, with what it said.
func testDriveFails(t *testing.T, place Place) {
	for name, tc := range map[string]struct {
		drive func(ctx context.Context, w *record.Work) error
		code  string
	}{
		"error": {func(context.Context, *record.Work) error { return errors.New("canary") }, sdk.CodeOther},
		"panic": {func(context.Context, *record.Work) error { panic("canary") }, sdk.CodeOther},
		"in a step": {func(ctx context.Context, w *record.Work) error {
			return w.Do(ctx, func(*record.Record, *record.Operation) error {
				return sdk.Errorf(sdk.PermissionDenied, sdk.ReasonAuth, "canary")
			})
		}, sdk.CodePermissionDenied},
		"returns in the middle": {func(ctx context.Context, w *record.Work) error {
			w.Printf("canary")
			return w.Reach(ctx, "drawn")
		}, sdk.CodeOther},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, place)
			r.drives(func(ctx context.Context, w *record.Work) error {
				for n := range 2 * sdk.MaxFailureLogs {
					w.Printf("line %d\nof two", n)
				}
				return tc.drive(ctx, w)
			})
			r.accept(op("a", 1), "one")
			out := r.ends("a", sdk.ResultFailed)
			f := out.Failure
			if f == nil || f.Code != tc.code || f.Resource != subject {
				t.Fatalf("outcome %+v %+v", out, f)
			}
			last := `line 199\nof two`
			if name == "returns in the middle" {
				last = "canary"
			} else if !strings.Contains(out.Message, "canary") {
				t.Errorf("message %q", out.Message)
			}
			if len(f.Logs) != sdk.MaxFailureLogs || f.Logs[len(f.Logs)-1].Line != last || f.Logs[0].Resource != subject {
				t.Errorf("%d lines, the last %+v", len(f.Logs), f.Logs[len(f.Logs)-1])
			}
			// Another process knows it, with its evidence.
			recovery, err := r.next().Recover(r.ctx(), sdk.RecoverRequest{Operation: op("a", 1)}, nothing)
			if err != nil || recovery.Status != sdk.RecoverFinished || len(recovery.Outcome.Failure.Logs) != sdk.MaxFailureLogs {
				t.Errorf("Recover: %+v %v", recovery, err)
			}
		})
	}
}

// The API server does what it is told, and its answer is lost: nothing happens twice.
func testLostAnswers(t *testing.T, place Place) {
	r := newRig(t, place)
	var lost, count atomic.Int32
	r.line.breaks(nil, func(request *http.Request) error {
		ours := strings.Contains(request.URL.Path, "/secrets") && request.Method != http.MethodGet
		if ours && !effectOf(request) && count.Add(1)%2 == 1 {
			lost.Add(1)
			return errDown
		}
		return nil
	})
	err := r.try(op("a", 1), "one")
	for n := 0; err != nil && cluster.IsDown(err) && n < 5; n++ {
		err = r.try(op("a", 1), "one")
	}
	if err != nil {
		t.Fatalf("Accept: %v", err)
	}
	r.ends("a", sdk.ResultSucceeded)
	if n := r.effects("a"); n != 1 {
		t.Errorf("%d effects", n)
	}
	if lost.Load() == 0 {
		t.Error("no answer was lost: the test tests nothing")
	}
	o := r.read().Operation("a")
	if got := fmt.Sprint(stepsOf(o)); got != "[drawn made ended]" {
		t.Errorf("steps %s", got)
	}
}

// effectOf says whether a request makes an effect: that has no name to compare by.
func effectOf(request *http.Request) bool {
	if request.GetBody == nil {
		return false
	}
	body, err := request.GetBody()
	if err != nil {
		return false
	}
	text, err := io.ReadAll(body)
	return err == nil && bytes.Contains(text, []byte(effectLabel))
}

func stepsOf(o *record.Operation) []string {
	var names []string
	for _, s := range o.Steps {
		names = append(names, s.Name)
	}
	return names
}

// While the cluster is down an operation waits, and goes on by itself; calls say so at
// once.
func testDown(t *testing.T, place Place) {
	r := newRig(t, place)
	reached, calls := make(chan struct{}), atomic.Int32{}
	r.drives(func(ctx context.Context, w *record.Work) error {
		if calls.Add(1) == 1 {
			r.line.breaks(func(*http.Request) error { return errDown }, nil)
			close(reached)
		}
		return r.put(ctx, w)
	})
	r.accept(op("a", 1), "one")
	<-reached
	if err := r.try(op("b", 1), "two"); sdk.CodeOf(err) != sdk.Unavailable || !strings.Contains(err.Error(), "nothing listens") {
		t.Errorf("Accept while the cluster is down: %v", err)
	}
	if _, err := r.Recover(r.ctx(), sdk.RecoverRequest{Operation: op("a", 1)}, nothing); sdk.CodeOf(err) != sdk.Unavailable {
		t.Errorf("Recover while the cluster is down: %v", err)
	}
	r.line.breaks(nil, nil)
	r.ends("a", sdk.ResultSucceeded)
	if n := r.effects("a"); n != 1 {
		t.Errorf("%d effects", n)
	}

	// What Drive itself could not ask does not end the operation either.
	calls.Store(0)
	r.drives(func(ctx context.Context, w *record.Work) error {
		if calls.Add(1) < 3 {
			return sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "get deployments.apps: the API server cannot answer")
		}
		return r.put(ctx, w)
	})
	r.accept(op("c", 1), "three")
	r.ends("c", sdk.ResultSucceeded)
	if n := calls.Load(); n != 3 {
		t.Errorf("Drive was called %d times", n)
	}
}

// A step that somebody else came before is taken anew, with what they wrote; one that
// changes nothing is not written.
func testSteps(t *testing.T, place Place) {
	r := newRig(t, place)
	done := make(chan error, 1)
	r.drives(func(ctx context.Context, w *record.Work) error {
		times := 0
		err := w.Do(ctx, func(s *record.Record, o *record.Operation) error {
			if times++; times == 1 { // a person labels the Secret
				if err := r.touch(ctx); err != nil {
					return err
				}
			}
			o.Reach("compared")
			return nil
		})
		if err == nil && times != 2 {
			err = fmt.Errorf("the step was called %d times", times)
		}
		changed := w.Changed()
		if err == nil {
			err = w.Do(ctx, func(*record.Record, *record.Operation) error { return nil })
		}
		select {
		case <-changed:
			err = errors.Join(err, errors.New("a step that changes nothing was written"))
		default:
		}
		done <- err
		return r.put(ctx, w)
	})
	r.accept(op("a", 1), "one")
	if err := <-done; err != nil {
		t.Error(err)
	}
	r.ends("a", sdk.ResultSucceeded)
	secrets := r.secrets(cluster.Prefix + "record=operations")
	if len(secrets) != 1 || secrets[0].Annotations[cluster.AnnotationApplication] != "shop" {
		t.Errorf("Secrets %+v", secrets)
	}
}

func (r *rig) touch(ctx context.Context) error {
	secrets := r.cluster.Typed().CoreV1().Secrets(r.namespace)
	for {
		secret, err := secrets.Get(ctx, record.NameOf(identity), metav1.GetOptions{})
		if err != nil {
			return err
		}
		secret.Labels["touched"] = "yes"
		if _, err = secrets.Update(ctx, secret, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
			return err
		}
	}
}
