package follow_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/follow"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

const logOfA = "/api/v1/namespaces/shop/pods/a/log"

// text answers with a log.
func text(lines ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(strings.Join(lines, "\n"))) }
}

func stamped(second int, line string) string { return at(1000*second, line) }

func at(millisecond int, line string) string {
	return after(time.Duration(millisecond)*time.Millisecond).Format("2006-01-02T15:04:05.000000000Z07:00") + " " + line
}

// crashed is a pod whose container has ended n times and waits.
func crashed(n int32) *corev1.Pod {
	p := unready(pod("ReplicaSet", "web-1", "a", "app:1"), "CrashLoopBackOff")
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses[0].RestartCount = n
	p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
		ExitCode: 3, FinishedAt: after(time.Duration(n) * time.Minute),
	}
	return p
}

func linesOf(p picture.Picture) []string {
	var found []string
	for _, line := range p.Workloads[0].Pods[0].Containers[0].LastLines {
		found = append(found, line.Text)
	}
	return found
}

// TestLastLines reads those of each instance once.
func TestLastLines(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.put(deployment("web", "app:1", "1"), replicaSet("web", "web-1", "app:1", "1"), crashed(1))
	queries := make(chan string, 10)
	c.answer(logOfA, func(w http.ResponseWriter, r *http.Request) {
		queries <- r.URL.RawQuery
		text(stamped(1, "one"), stamped(2, strings.Repeat("x", 5000)), stamped(3, "bad \xff byte"), stamped(4, ""))(w, r)
	})
	f := c.follower(t, follow.Options{LastLines: 3})
	s := subject("apps/v1", "Deployment", "web")
	p := take(t, f, s)
	lines := linesOf(p)
	if len(lines) != 3 || len(lines[0]) > 1100 || !strings.HasPrefix(lines[0], "xxx") || lines[1] != "bad \ufffd byte" || lines[2] != "" {
		t.Errorf("the lines are %q", lines)
	}
	if at := p.Workloads[0].Pods[0].Containers[0].LastLines[1].At; !at.Equal(epoch.Add(3 * time.Second)) {
		t.Errorf("it was written at %s", at)
	}
	if query := <-queries; !strings.Contains(query, "previous=true") || !strings.Contains(query, "tailLines=3") || !strings.Contains(query, "timestamps=true") {
		t.Errorf("asked for %s", query)
	}
	for range 3 {
		if again := linesOf(take(t, f, s)); len(again) != 3 {
			t.Errorf("then they are %q", again)
		}
	}
	if n := c.asked("log"); n != 1 {
		t.Errorf("the log was read %d times", n)
	}
	// The next instance has its own.
	c.answer(logOfA, text(stamped(9, "two")))
	c.put(crashed(2))
	until(t, f, s, "it crashes again", func(p picture.Picture) string {
		if lines := linesOf(p); len(lines) != 1 || lines[0] != "two" {
			return fmt.Sprintf("%q", lines)
		}
		return ""
	})
	// The record of the pod was not written into.
	c.answer(logOfA, nil)
	c.put(pod("ReplicaSet", "web-1", "a", "app:1"))
	until(t, f, s, "it runs", func(p picture.Picture) string { return strings.Join(linesOf(p), "\n") })
}

// TestNoLog is of logs that are not there, that kubelet excuses itself for, or that may not be read.
func TestNoLog(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		blind  string
	}{
		"gone":      {refuse(http.StatusBadRequest, metav1.StatusReasonBadRequest, "previous terminated container not found"), ""},
		"excuse":    {text("unable to retrieve container logs for containerd://1"), ""},
		"file":      {text(`failed to try resolving symlinks in path "/var/log/pods/1.log": no such file`), ""},
		"forbidden": {refuse(http.StatusForbidden, metav1.StatusReasonForbidden, "pods/log is forbidden"), "read the log of shop/a, container app: pods/log is forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			c.put(deployment("web", "app:1", "1"), replicaSet("web", "web-1", "app:1", "1"), crashed(1))
			c.answer(logOfA, test.answer)
			f := c.follower(t, follow.Options{})
			p := take(t, f, subject("apps/v1", "Deployment", "web"))
			if lines := linesOf(p); len(lines) != 0 || strings.Join(p.Blind, "; ") != test.blind {
				t.Errorf("the lines are %q, blind for %q", lines, p.Blind)
			}
		})
	}
}

// TestLogError names the container, and sends the lines of the others.
func TestLogError(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.put(deployment("web", "app:1", "1"), replicaSet("web", "web-1", "app:1", "1"))
	c.put(pod("ReplicaSet", "web-1", "a", "app:1"), pod("ReplicaSet", "web-1", "b", "app:1"))
	c.answer(logOfA, refuse(http.StatusForbidden, metav1.StatusReasonForbidden, "pods/log is forbidden"))
	c.answer(strings.Replace(logOfA, "/a/", "/b/", 1), text(stamped(1, "early"), stamped(5, "late"), strings.Repeat("y", 40<<10)))
	f := c.follower(t, follow.Options{})
	var got []follow.LogLine
	err := f.Logs(t.Context(), subject("apps/v1", "Deployment", "web"), follow.LogOptions{Since: epoch.Add(5 * time.Second)}, func(lines ...follow.LogLine) error {
		got = append(got, lines...)
		return nil
	})
	if err == nil || err.Error() != "read the log of shop/a, container app: pods/log is forbidden" {
		t.Errorf("the error is %v", err)
	}
	if len(got) != 2 || got[0].Text != "late" || got[0].Pod.Name != "b" || got[0].Container != "app" || got[0].Previous || len(got[1].Text) > 17<<10 {
		t.Errorf("the lines are %.200v", got)
	}
	c.answer("/api/v1/namespaces/shop/pods", refuse(http.StatusForbidden, metav1.StatusReasonForbidden, "pods is forbidden"))
	err = c.follower(t, follow.Options{}).Logs(t.Context(), subject("apps/v1", "Deployment", "web"), follow.LogOptions{}, nil)
	if err == nil || !strings.Contains(err.Error(), "list pods in shop: pods is forbidden") {
		t.Errorf("the error without pods is %v", err)
	}
}

// TestLogCut goes on where a connection was lost, in whichever instance, and sends no line twice.
func TestLogCut(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	running := func(restarts int32) *corev1.Pod {
		p := pod("ReplicaSet", "web-1", "a", "app:1")
		p.Status.ContainerStatuses[0].RestartCount = restarts
		return p
	}
	c.put(deployment("web", "app:1", "1"), replicaSet("web", "web-1", "app:1", "1"), running(0))
	requests, heard := 0, make(chan struct{})
	c.answer(logOfA, func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		requests++
		n := requests
		c.mu.Unlock()
		switch {
		case r.URL.Query().Get("previous") != "":
			text(stamped(1, "one"), stamped(2, "two"), at(1900, "late"), stamped(3, "three"))(w, r)
		case n == 1: // the connection is lost after the second line
			text(stamped(1, "one"), stamped(2, "two"), "")(w, r)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-heard:
			case <-r.Context().Done():
			}
			c.put(running(1))
			panic(http.ErrAbortHandler)
		default:
			text(stamped(4, "four"), "")(w, r)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	})
	f := c.follower(t, follow.Options{})
	enough := errors.New("enough")
	var got []string
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := f.Logs(ctx, subject("apps/v1", "Deployment", "web"), follow.LogOptions{Follow: true}, func(lines ...follow.LogLine) error {
		for _, line := range lines {
			got = append(got, fmt.Sprintf("%s %t", line.Text, line.Previous))
			if line.Text == "two" {
				close(heard)
			}
			if line.Text == "four" {
				return enough
			}
		}
		return nil
	})
	if want := "[one false two false late true three true four false]"; !errors.Is(err, enough) || fmt.Sprint(got) != want {
		t.Errorf("%v: the lines are %v, want %s", err, got, want)
	}
}
