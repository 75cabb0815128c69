package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"example.com/apm-plugin-symlink/internal/component"
	"example.com/apm-plugin-symlink/internal/tree"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// encoding is the version of release.
const encoding = 1

// release is the state of a release and of a snapshot. The files stay with us,
// named by their digest.
type release struct {
	Digest  string `json:"digest"`
	Files   int    `json:"files"`
	Version string `json:"version"`        // of a snapshot: what was current
	Link    string `json:"link,omitempty"` // of a snapshot: where that was, if it was not ours
}

// Resolve copies the files of a version to a place of our own: what somebody does to
// the source afterwards changes nothing.
func (p *Platform) Resolve(ctx context.Context, r sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
	spec, ds := schema.Read[Spec](r.Target.Spec)
	if ds.HasErrors() {
		return sdk.Release{}, ds, nil
	}
	dir, _, err := p.component(r.Target)
	if err != nil {
		return sdk.Release{}, nil, err
	}
	files, err := dir.Freeze(ctx, spec.Source, spec.files())
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, tree.ErrInvalid):
		ds.Errorf([]string{"source"}, "the files cannot be copied: %v", err)
		return sdk.Release{}, ds, nil
	case err != nil:
		return sdk.Release{}, nil, answer("freeze files", err)
	}
	count, bytes := files.Files()
	state, err := json.Marshal(release{Digest: files.Digest(), Files: count, Version: r.Target.Version})
	return sdk.Release{
		Version: encoding, State: state, Digest: component.ReleasePrefix + files.Digest(), Revision: short(files.Digest()),
		View: map[string]string{
			"source": spec.Source,
			"files":  fmt.Sprintf("%d files, %d bytes", count, bytes),
			"digest": component.ReleasePrefix + files.Digest(),
			"env":    strings.Join(slices.Sorted(maps.Keys(spec.Env)), " "), // names only
		},
	}, ds, err
}

// files are those that the spec itself adds.
func (s Spec) files() map[string]string {
	if len(s.Env) == 0 {
		return nil
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		text.WriteString(name + "=" + s.Env[name] + "\n")
	}
	return map[string]string{envFile: text.String()}
}

// short is a digest for people.
func short(digest string) string { return digest[:min(12, len(digest))] }

// decode reads the state of a release or a snapshot. What a newer plugin has written
// is refused.
func decode(version uint32, state []byte) (release, error) {
	var r release
	if version > encoding {
		return r, sdk.SnapshotStale("it has encoding %d, from a newer plugin: use that one", version)
	}
	if err := json.Unmarshal(state, &r); err != nil || r.Digest == "" {
		return r, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "it cannot be read: %v", err)
	}
	return r, nil
}

func (r release) goal() *component.Goal {
	return &component.Goal{Digest: r.Digest, Link: r.Link, Files: r.Files}
}
