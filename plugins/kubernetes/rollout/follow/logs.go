package follow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// LogOptions say which lines of a subject are wanted; the zero value is all that there are.
type LogOptions struct {
	Pod       string // name; "" for all pods
	Container string // name; "" for all containers
	Since     time.Time
	Tail      int // the last lines of each container; 0 for all
	// Previous asks for the instance that ended instead of the one that runs; with Follow,
	// for both.
	Previous bool
	// Follow goes on with lines as they come, also of pods and containers that start later
	// and of those that start again, until ctx ends.
	Follow bool
}

// LogLine is a line of a container. Of one longer than 16 KiB the rest is cut off.
type LogLine struct {
	Pod       picture.Ref
	Container string
	Previous  bool
	picture.Line
}

const longestLine = 16 << 10

// disorder is by how much a line may be older than one before it.
const disorder = time.Second

// Logs sends the lines of the subject's pods, in order within a container. It returns nil
// when all have been sent (never with Follow), the error of send, or that of ctx; with
// neither, an error names the first container whose log could not be read while others
// could, or the pods that could not be listed. Containers that have not started yet and
// logs that are gone are no errors. send is not called twice at the same time.
func (f *Follower) Logs(ctx context.Context, subject Subject, options LogOptions, send func(...LogLine) error) error {
	g, err := f.Follow(subject)
	if err != nil {
		return err
	}
	defer g.Close()
	v := g.view()
	slow, err := f.settle(ctx, v)
	if err != nil {
		return err
	}
	for at, s := range v {
		if synced, failure := s.state(); at.kind == pods.name && !synced {
			return fmt.Errorf("read the logs of pods in %s: %s", at.namespace, strings.Join(append(slow, failure), "; "))
		}
	}
	if options.Follow {
		return f.followLogs(ctx, g, options, send)
	}
	var first error
	for _, pod := range g.pods(options) {
		for _, c := range pod.Containers {
			if options.Container != "" && c.Name != options.Container {
				continue
			}
			t := &tail{follower: f, pod: pod.Ref, container: c.Name, options: options, send: send}
			err := t.read(ctx, options.Previous, false)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			var refused *refusedError
			if errors.As(err, &refused) {
				return refused.err
			}
			if err != nil && first == nil {
				first = fmt.Errorf("read the log of %s/%s, container %s: %w", pod.Namespace, pod.Name, c.Name, err)
			}
		}
	}
	return first
}

// pods of the subject that are wanted, oldest first.
func (g *Following) pods(options LogOptions) []picture.Pod {
	v := g.view()
	var found []picture.Pod
	for _, ref := range g.subject.Workloads {
		w, _, _ := v.workload(ref)
		for i := range w.Pods {
			if options.Pod == "" || w.Pods[i].Name == options.Pod {
				found = append(found, w.Pods[i])
			}
		}
	}
	return found
}

// refusedError is the error of send.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }

// A tail reads the log of one container, instance after instance.
type tail struct {
	follower  *Follower
	pod       picture.Ref
	container string
	options   LogOptions
	send      func(...LogLine) error
	last      time.Time // of the newest line that was sent
	recent    map[picture.Line]struct{}
	poked     chan struct{}
	begun     bool // a first request has been answered
}

// read sends what an instance has written after the last line that was sent. A log that
// does not exist, not yet or not any more, is none.
func (t *tail) read(ctx context.Context, previous, follow bool) error {
	options := corev1.PodLogOptions{Container: t.container, Previous: previous, Follow: follow}
	// What a container writes to its two outputs may be in another order than its times.
	resume, before := t.last.Add(-disorder), maps.Clone(t.recent)
	if t.last.IsZero() {
		resume = time.Time{}
		if !t.options.Since.IsZero() {
			resume = t.options.Since.Add(-1)
		}
	}
	if !resume.IsZero() {
		since := metav1.NewTime(resume) // whole seconds: what is too old is left out below
		options.SinceTime = &since
	}
	if t.options.Tail > 0 && !t.begun {
		lines := int64(t.options.Tail)
		options.TailLines = &lines
	}
	stream, err := t.follower.openLog(ctx, t.pod.Namespace, t.pod.Name, options)
	if apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) {
		return nil
	}
	if err != nil {
		return err
	}
	t.begun = true
	defer func() { _ = stream.Close() }()
	err = scan(stream, longestLine, func(line picture.Line) error {
		if _, sent := before[line]; sent || !line.At.IsZero() && !line.At.After(resume) {
			return nil
		}
		if err := t.send(LogLine{Pod: t.pod, Container: t.container, Previous: previous, Line: line}); err != nil {
			return &refusedError{err}
		}
		t.remember(line)
		return nil
	})
	if errors.Is(err, errNoLog) {
		return nil
	}
	return err
}

// mostRecent bounds what a tail remembers to send no line twice.
const mostRecent = 4096

func (t *tail) remember(line picture.Line) {
	if line.At.After(t.last) {
		t.last = line.At
	}
	if t.recent == nil {
		t.recent = map[picture.Line]struct{}{}
	}
	if len(t.recent) >= mostRecent {
		maps.DeleteFunc(t.recent, func(old picture.Line, _ struct{}) bool { return t.last.Sub(old.At) > disorder })
	}
	if len(t.recent) < mostRecent {
		t.recent[line] = struct{}{}
	}
}
