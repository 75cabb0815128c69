package judge_test

import (
	"errors"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/judge"
	"github.com/apm-deploy/apm/test/testbed"
)

// TestNodeDown is held as no fault of the change while the only node does not answer, and
// goes on when it does again.
func TestNodeDown(t *testing.T) {
	t.Parallel()
	c := testbed.Isolated(t)
	s := newStage(t, c)
	s.good()
	c.Freeze(t, testbed.Kubelet)
	testbed.Eventually(t, time.Minute, "the node is called not ready", func() error {
		status, err := c.TryKubectl(t.Context(), "", "get", "nodes", "-o", `jsonpath={.items[0].status.conditions[?(@.type=="Ready")].status}`)
		if err == nil && status == "True" {
			err = errors.New("it is ready")
		}
		return err
	})
	v := s.apply("Deployment", web(c.Image("v2"), "", readiness), nil)
	if v.Verdict.Kind != judge.Environment || !v.Verdict.Failure.Environment {
		t.Fatalf("it is %s: %+v\n%+v", v.Verdict.Kind, v.Verdict, v.Picture)
	}
	t.Log(v.Verdict.Message)
	c.Thaw(t, testbed.Kubelet)
	v = s.verdict("Deployment", nil, func(v judge.Verdict) bool { return v.Kind == judge.Done || v.Kind == judge.Failed })
	if v.Verdict.Kind != judge.Done {
		t.Errorf("it is %s: %s", v.Verdict.Kind, v.Verdict.Message)
	}
}
