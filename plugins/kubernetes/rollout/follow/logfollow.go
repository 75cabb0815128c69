package follow

import (
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// mostTogether is how many lines one call of send has at most.
const mostTogether = 256

// followLogs reads every container that has started, and those that start later.
func (f *Follower) followLogs(ctx context.Context, g *Following, options LogOptions, send func(...LogLine) error) error {
	ctx, cancel := context.WithCancel(ctx)
	lines := make(chan LogLine, mostTogether)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	tails := map[string]*tail{}
	start := func() {
		for _, pod := range g.pods(options) {
			for i := range pod.Containers {
				c := &pod.Containers[i]
				if options.Container != "" && c.Name != options.Container {
					continue
				}
				key := pod.UID + "/" + c.Name
				if t := tails[key]; t != nil {
					select {
					case t.poked <- struct{}{}:
					default:
					}
					continue
				}
				if !started(c) {
					continue
				}
				t := &tail{follower: f, pod: pod.Ref, container: c.Name, options: options, poked: make(chan struct{}, 1)}
				t.send = func(sent ...LogLine) error {
					for _, line := range sent {
						select {
						case lines <- line:
						case <-ctx.Done():
							return ctx.Err()
						}
					}
					return nil
				}
				tails[key] = t
				restarts := c.Restarts
				group.Go(func() { t.follow(ctx, restarts) })
			}
		}
	}
	start()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.life.Done():
			return ErrClosed
		case <-g.changed:
			start()
		case line := <-lines:
			batch := []LogLine{line}
			for more := true; more && len(batch) < mostTogether; {
				select {
				case line := <-lines:
					batch = append(batch, line)
				default:
					more = false
				}
			}
			if err := send(batch...); err != nil {
				return err
			}
		}
	}
}

func started(c *picture.Container) bool {
	return c.State.Kind == "running" || c.State.Kind == "terminated" || c.Restarts > 0
}

// The pace at which a tail tries again.
const (
	logAgain  = 200 * time.Millisecond
	logAtMost = 5 * time.Second
)

// follow reads on until ctx ends or the pod is gone.
func (t *tail) follow(ctx context.Context, restarts int32) {
	if t.options.Previous && restarts > 0 {
		if err := t.read(ctx, true, false); err != nil && ctx.Err() != nil {
			return
		}
		t.begun = false // Tail counts for each
	}
	delay := logAgain
	for {
		before := t.last
		err := t.read(ctx, false, true)
		if ctx.Err() != nil {
			return
		}
		if t.last != before {
			delay = logAgain
		}
		// Either the instance has ended or the connection has.
		for {
			c, there := t.look()
			if !there {
				return
			}
			if c.Restarts > restarts {
				// What the one before wrote while nobody was connected.
				if err := t.read(ctx, true, false); err != nil {
					t.follower.log.Warn("read a log", "pod", t.pod.Name, "container", t.container, "error", err)
				}
				restarts, delay = c.Restarts, logAgain
				break
			}
			if err == nil && c.State.Kind != "running" {
				if !t.wait(ctx, 0) {
					return
				}
				continue
			}
			if !t.wait(ctx, delay) {
				return
			}
			delay = min(2*delay, logAtMost)
			// The watch of pods may be behind: a new instance must not be taken for the one
			// whose log was cut off.
			now, gone, failed := t.ask(ctx)
			if gone {
				return
			}
			if failed == nil && now == restarts {
				break
			}
			if failed == nil && now > restarts {
				if err := t.read(ctx, true, false); err != nil {
					t.follower.log.Warn("read a log", "pod", t.pod.Name, "container", t.container, "error", err)
				}
				restarts, delay = now, logAgain
				break
			}
		}
	}
}

// wait for a change of the pod, or for a while (0: for good).
func (t *tail) wait(ctx context.Context, while time.Duration) bool {
	return pause(ctx, t.follower.life, while, t.poked) == nil
}

// look at the container as it is known now.
func (t *tail) look() (picture.Container, bool) {
	f := t.follower
	f.mu.RLock()
	s := f.sources[pods.at(t.pod.Namespace)]
	f.mu.RUnlock()
	if s == nil {
		return picture.Container{}, false
	}
	r, ok := s.shelf.get(t.pod.Name).(*podRecord)
	if !ok || r.uid != t.pod.UID {
		return picture.Container{}, false
	}
	for _, c := range r.pod.Containers {
		if c.Name == t.container {
			return c, true
		}
	}
	return picture.Container{}, false
}

// ask the API server how often the container has started again, and whether its pod is gone.
func (t *tail) ask(ctx context.Context) (restarts int32, gone bool, err error) {
	t.follower.requests.get.Add(1)
	pod := &corev1.Pod{}
	err = t.follower.clients.core().Get().Namespace(t.pod.Namespace).Resource("pods").Name(t.pod.Name).Do(ctx).Into(pod)
	if apierrors.IsNotFound(err) || err == nil && string(pod.UID) != t.pod.UID {
		return 0, true, nil
	}
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if s.Name == t.container {
			restarts = s.RestartCount
		}
	}
	return restarts, false, err
}
