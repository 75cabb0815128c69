package deployment_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

func TestRetained(t *testing.T) {
	t.Parallel()
	makes := func(id, release, before, after string) *deployment.Deployment {
		c := deployment.Component{Name: "web"}
		if release != "" {
			c.Release = &deployment.ReleaseRef{Digest: release}
		}
		for digest, to := range map[string]**deployment.SnapshotRef{before: &c.Before, after: &c.After} {
			if digest != "" {
				*to = &deployment.SnapshotRef{Digest: digest, Empty: digest == "empty"}
			}
		}
		return &deployment.Deployment{ID: id, Components: []deployment.Component{{Name: "other", After: &deployment.SnapshotRef{Digest: "no"}}, c}}
	}
	var many []*deployment.Deployment
	var first []string
	for n := range 30 {
		many = append(many, makes(fmt.Sprint(n), "", "", fmt.Sprint("s", n)))
		first = append(first, fmt.Sprint("s", n))
	}
	d4 := makes("d4", "r4", "s3", "")
	tests := map[string]struct {
		d          *deployment.Deployment
		open, past []*deployment.Deployment
		want       []string
	}{
		"the first ever": {makes("d1", "r1", "empty", ""), nil, nil, nil},
		"what is there before, what waits, what was": {
			d4,
			[]*deployment.Deployment{d4, makes("d5", "r5", "", ""), makes("d6", "r6", "", "")},
			[]*deployment.Deployment{makes("d3", "r3", "s2", "s3"), makes("d2", "r2", "foreign", "s2")},
			[]string{"s3", "r5", "r6", "s2", "foreign"},
		},
		"no digests":         {makes("d2", "r2", "", ""), []*deployment.Deployment{{ID: "d3"}}, []*deployment.Deployment{{ID: "d1"}}, nil},
		"a component of old": {&deployment.Deployment{ID: "d9"}, nil, []*deployment.Deployment{makes("d1", "r1", "empty", "s1")}, []string{"s1"}},
		"no more than 20":    {makes("d99", "", "s7", ""), nil, many, append([]string{"s7"}, append(append([]string(nil), first[:7]...), first[8:20]...)...)},
	}
	for name, tc := range tests {
		if diff := cmp.Diff(tc.want, deployment.Retained("web", tc.d, tc.open, tc.past)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
