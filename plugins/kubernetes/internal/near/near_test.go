package near_test

import (
	"fmt"
	"testing"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/near"
)

func TestHint(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		names []string
		want  string
	}{
		{"my-app-deploymnet", []string{"other", "my-app-deployment"}, `did you mean "my-app-deployment"?`},
		{"shop", []string{"shop-api", "shop-web", "db"}, `did you mean "shop-api" or "shop-web"?`},
		{"replica", []string{"replicas", "paused"}, `did you mean "replicas"?`},
		{"Replicas", []string{"replicas"}, `did you mean "replicas"?`},
		{"shop", []string{"zebra", "alpha"}, "there are alpha, zebra"},
		{"shop", []string{"zebra"}, "there is only zebra"},
		{"shop", nil, ""},
		{"", []string{"a", "b"}, "there are a, b"},
		{"q", []string{"a1x", "b2x", "c3x", "d4x", "e5x", "f6x", "g7x", "h8x", "i9x"}, "there are a1x, b2x, c3x, d4x, e5x, f6x, g7x, h8x and others"},
	} {
		if got := near.Hint(tc.name, tc.names); got != tc.want {
			t.Errorf("%s among %v: %s, want %s", tc.name, tc.names, got, tc.want)
		}
	}
}

func TestTo(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(near.To("abcd", []string{"abcd", "abdc", "abce", "abcf", "abcg"})); got != "[abce abcf abcg]" && got != "[abdc abce abcf]" {
		t.Errorf("nearest %s", got)
	}
}

func TestRemedy(t *testing.T) {
	t.Parallel()
	for want, names := range map[string][]string{
		"create it": nil, `did you mean "shop"? Else create it`: {"shop"}, "there is only zebra; create it": {"zebra"},
	} {
		if got := near.Remedy("shpo", names, "create it"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
