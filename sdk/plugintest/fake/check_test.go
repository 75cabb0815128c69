package fake_test

import (
	"slices"
	"strings"
	"testing"
)

// Each mistake in a fault is a diagnostic with the path of what is wrong.
func TestBadFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t).start()
	for name, tc := range map[string]struct {
		label string
		block map[string]any
		path  string // below the label
		want  string
	}{
		"kind":             {"bang", nil, "", `there is no fault "bang"`},
		"kind by name":     {"x", map[string]any{"kind": "bang"}, "kind", `there is no fault "bang"`},
		"another's":        {"hang", map[string]any{"call": "probe", "rate": 3}, "rate", `the fault "hang" has no "rate"`},
		"missing":          {"error", map[string]any{"call": "probe"}, "", `needs "code"`},
		"call":             {"hang", map[string]any{"call": "deplyo"}, "call", `call is "deplyo"`},
		"call of the kind": {"noise", map[string]any{"call": "probe"}, "call", "use one of start"},
		"at":               {"hang", map[string]any{"call": "probe", "at": "within"}, "at", `use one of before, after`},
		"at of the start":  {"hang", map[string]any{"call": "start", "at": "after"}, "at", "no before and after of the start"},
		"code":             {"error", map[string]any{"call": "probe", "code": "BAD"}, "code", `code is "BAD"`},
		"reason":           {"error", map[string]any{"call": "probe", "code": "INTERNAL", "reason": "BAD"}, "reason", `reason is "BAD"`},
		"operation":        {"hang", map[string]any{"call": "watch", "operation": "remove"}, "operation", "use one of deploy, rollback"},
		"what":             {"lie", map[string]any{"what": "all"}, "what", "use one of success"},
		"rule":             {"break", map[string]any{"rule": "silence"}, "rule", "use one of "},
		"negative":         {"hang", map[string]any{"call": "probe", "times": -1}, "times", "times is below 0"},
		"exit code":        {"crash", map[string]any{"call": "probe", "exit_code": 256}, "exit_code", "give 0 to 255"},
		"no events":        {"crash", map[string]any{"call": "probe", "after_events": 2}, "after_events", "only the calls watch and watch_target"},
		"no component":     {"hang", map[string]any{"call": "drain", "component": "web"}, "component", "about no component"},
		"endless":          {"flood", map[string]any{"what": "events", "rate": 3}, "", "needs rate and for"},
		"how much":         {"flood", map[string]any{"what": "stderr"}, "", "needs bytes"},
		"no flood there":   {"flood", map[string]any{"what": "events", "rate": 3, "for": "1s", "call": "configure"}, "call", "no events in configure"},
		"before the block": {"crash", map[string]any{"call": "start"}, "", `environment = ["APM_FAKE_ROOT"]`},
		"unknown":          {"hang", map[string]any{"cal": "probe"}, "cal", `unknown name "cal"`},
	} {
		if tc.block == nil {
			tc.block = map[string]any{}
		}
		want := []string{"fault", tc.label}
		if tc.path != "" {
			want = append(want, tc.path)
		}
		block := r.block(faults{tc.label: tc.block})
		ds, err := r.Client().Validate(r.ctx(), block, nil)
		if name == "before the block" { // which only the process that is to be configured can know
			ds, err = newRig(t).start().configure(faults{tc.label: tc.block})
		}
		if err != nil || len(ds) != 1 || !ds.HasErrors() {
			t.Errorf("%s: %v %v", name, ds, err)
			continue
		}
		if !slices.Equal(ds[0].Path, want) || !strings.Contains(ds[0].Summary, tc.want) {
			t.Errorf("%s: path %q, %q; want %q, %q", name, ds[0].Path, ds[0].Summary, want, tc.want)
		}
	}
}
