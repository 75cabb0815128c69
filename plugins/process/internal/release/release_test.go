package release_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/plugins/process/internal/release"
)

func TestDigestFollowsContent(t *testing.T) {
	t.Parallel()
	base := func() release.Release {
		return release.Release{
			Command: []string{"./run"}, Executable: "run", Replicas: 1, Artifact: "aa", Files: "sha256:f",
			Env: map[string]string{"A": "1"}, Ports: []release.Port{{Name: "http", Listen: "127.0.0.1:80", Protocol: "http"}},
		}
	}
	seen := map[string]string{base().Digest(): "the base"}
	for name, change := range map[string]func(*release.Release){
		"command":  func(r *release.Release) { r.Command = []string{"./run", ""} },
		"env":      func(r *release.Release) { r.Env["A"] = "2" },
		"replicas": func(r *release.Release) { r.Replicas = 2 },
		"artifact": func(r *release.Release) { r.Artifact = "bb" },
		"files":    func(r *release.Release) { r.Files = "sha256:e" },
		"port":     func(r *release.Release) { r.Ports[0].Protocol = "tcp" },
		"user":     func(r *release.Release) { r.User = "nobody" },
	} {
		r := base()
		change(&r)
		if other, same := seen[r.Digest()]; same {
			t.Errorf("another %s has the digest of %s", name, other)
		}
		seen[r.Digest()] = name
	}
	again := base()
	data, err := again.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := release.Decode(release.Encoding, data)
	if err != nil || read.Digest() != base().Digest() || !cmp.Equal(read, base()) {
		t.Errorf("read back %+v %v", read, err)
	}
	if read.ObservedDigest("sha256:changed") == read.Digest() {
		t.Error("changed files have the same observed digest")
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]struct {
		version uint32
		data    string
	}{
		"newer": {release.Encoding + 1, `{"command":["x"]}`}, "no JSON": {release.Encoding, "x"}, "no command": {release.Encoding, "{}"},
	} {
		if _, err := release.Decode(bad.version, []byte(bad.data)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestViewShowsNoValue(t *testing.T) {
	t.Parallel()
	r := release.Release{Command: []string{"./run", "it's", "a b"}, Env: map[string]string{"PASSWORD": "canary"}}
	view := r.View()
	for key, value := range view {
		if strings.Contains(value, "canary") {
			t.Errorf("%s shows %s", key, value)
		}
	}
	if view["command"] != `./run 'it'\''s' 'a b'` {
		t.Errorf("command %s", view["command"])
	}
}

func TestPortsAreInOrder(t *testing.T) {
	t.Parallel()
	ports := []release.Port{{Name: "zeta"}, {Name: "admin"}, {Name: "http"}}
	release.SortPorts(ports)
	if diff := cmp.Diff([]release.Port{{Name: "http"}, {Name: "admin"}, {Name: "zeta"}}, ports); diff != "" {
		t.Error(diff)
	}
}
