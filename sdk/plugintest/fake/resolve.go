package fake

import (
	"context"
	"encoding/json"
	"os"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

func (p *platform) Resolve(_ context.Context, r sdk.ResolveRequest) (sdk.Release, diag.Diagnostics, error) {
	var spec Spec
	ds := schema.Decode(r.Target.Spec, &spec)
	if ds.HasErrors() {
		return sdk.Release{}, ds, nil
	}
	text, err := os.ReadFile(spec.File)
	if err != nil {
		ds.Errorf([]string{"file"}, "read file: %v", err)
		return sdk.Release{}, ds, nil
	}
	c := content{Text: string(text), Secret: spec.Secret, Lines: spec.Lines, Takes: spec.Takes, Fails: spec.Fails}
	if p.breaks("late") {
		c.Text = "@" + spec.File
	}
	state, err := json.Marshal(c)
	return sdk.Release{
		Version: 1, State: state, Digest: digest(c.Text, c.Secret), Revision: digest(c.Text),
		View: map[string]string{"file": spec.File, "text": digest(c.Text)},
	}, ds, err
}
