package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// lastLines are those of containers that failed, each read once.
type lastLines struct {
	mu   sync.Mutex
	read map[string]*ending
}

// ending is the output of one instance that ended.
type ending struct {
	mu    sync.Mutex
	lines []picture.Line
	done  bool
	tries int
	tried time.Time
	used  time.Time
	err   error
}

const (
	mostEndings  = 6                // containers of one picture
	endingWhile  = 2 * time.Second  // that a picture waits for them
	endingKept   = 10 * time.Minute // and is of interest
	endingTries  = 3
	endingPause  = time.Second
	mostLineSize = 1000 // bytes of a line that are kept
	mostLogSize  = 8 << 20
)

// lastLines fills them in for the containers that failed, those of the newest revision first.
func (f *Follower) lastLines(ctx context.Context, p *picture.Picture) {
	ctx, cancel := context.WithTimeout(ctx, endingWhile)
	defer cancel()
	var group sync.WaitGroup
	var mu sync.Mutex
	left := mostEndings
	for _, pod := range newestPodsFirst(p) {
		own := false // the containers are still those of the record
		for i := range pod.Containers {
			end, previous, ok := failed(&pod.Containers[i], p.At)
			if !ok || left == 0 {
				continue
			}
			left--
			if !own {
				pod.Containers, own = slices.Clone(pod.Containers), true
			}
			group.Go(func() {
				c := &pod.Containers[i]
				lines, err := f.ending(ctx, pod, c.Name, end, previous)
				c.LastLines = lines
				if err != nil {
					mu.Lock()
					defer mu.Unlock()
					p.Blind = append(p.Blind, fmt.Sprintf("read the log of %s/%s, container %s: %v", pod.Namespace, pod.Name, c.Name, err))
				}
			})
		}
	}
	group.Wait()
}

func newestPodsFirst(p *picture.Picture) []*picture.Pod {
	var first, rest []*picture.Pod
	for i := range p.Workloads {
		for j := range p.Workloads[i].Pods {
			if pod := &p.Workloads[i].Pods[j]; pod.Newest {
				first = append(first, pod)
			} else {
				rest = append(rest, pod)
			}
		}
	}
	return append(first, rest...)
}

// failed says which instance of a container ended as it should not have, and whether
// another has come since. One that runs well again is of interest for a while.
func failed(c *picture.Container, now time.Time) (end picture.ContainerState, previous, ok bool) {
	if c.State.Kind == "terminated" {
		return c.State, false, c.State.ExitCode != 0
	}
	if c.Last.Kind != "terminated" || c.Ready && now.Sub(c.Last.Ended) > endingKept {
		return picture.ContainerState{}, false, false
	}
	return c.Last, true, c.Last.ExitCode != 0 || c.Restarts > 0
}

// ending returns the last lines of an instance; they do not change, so they are read once.
func (f *Follower) ending(ctx context.Context, pod *picture.Pod, container string, end picture.ContainerState, previous bool) ([]picture.Line, error) {
	key := fmt.Sprintf("%s/%s/%d", pod.UID, container, end.Ended.UnixNano())
	f.ends.mu.Lock()
	e := f.ends.read[key]
	if e == nil {
		for old, x := range f.ends.read {
			if time.Since(x.used) > endingKept {
				delete(f.ends.read, old)
			}
		}
		e = &ending{}
		f.ends.read[key] = e
	}
	e.used = time.Now()
	f.ends.mu.Unlock()

	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done || e.tries >= endingTries || e.tries > 0 && time.Since(e.tried) < endingPause {
		return e.lines, e.err
	}
	e.tries, e.tried = e.tries+1, time.Now()
	tail := int64(f.options.LastLines)
	lines, err := f.readLog(ctx, pod.Namespace, pod.Name, corev1.PodLogOptions{Container: container, Previous: previous, TailLines: &tail})
	if err == nil && !previous && f.restarted(pod, container, end) {
		// What was read may be of the next instance.
		lines, err = f.readLog(ctx, pod.Namespace, pod.Name, corev1.PodLogOptions{Container: container, Previous: true, TailLines: &tail})
	}
	if errors.Is(err, context.Canceled) {
		e.tries--
		return nil, nil
	}
	if apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) || errors.Is(err, errNoLog) {
		err = nil // the pod or its log is gone: there is nothing to be blind for
	} else if err == nil {
		e.done = true
	}
	e.lines, e.err = lines, err
	return e.lines, e.err
}

// restarted says that the instance which ended so is no longer the container's last word.
func (f *Follower) restarted(pod *picture.Pod, container string, end picture.ContainerState) bool {
	f.mu.RLock()
	s := f.sources[pods.at(pod.Namespace)]
	f.mu.RUnlock()
	if s == nil {
		return false
	}
	r, ok := s.shelf.get(pod.Name).(*podRecord)
	if !ok || r.uid != pod.UID {
		return false
	}
	return slices.ContainsFunc(r.pod.Containers, func(c picture.Container) bool {
		return c.Name == container && c.State.Kind != "terminated" && c.Last.Ended.Equal(end.Ended)
	})
}
