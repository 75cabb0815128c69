package platform_test

import (
	"path/filepath"
	"testing"

	"github.com/apm-deploy/apm/sdk"
)

// Somebody who changes what serves while a candidate waits did not know of it: the
// deploy ends, and his change stays.
func TestAChangeDuringADeploySupersedesIt(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.settled("v1", b.files("one"))
	w := b.deploy("v2", b.files("two"), true)
	w.candidate(0)
	changed := filepath.Join(b.kept(), "content")
	write(t, changed, "by hand", 0o644)
	o := w.outcome()
	if o.Result != sdk.ResultSuperseded || o.SupersededBy != "unknown" {
		t.Errorf("outcome %+v", o)
	}
	if serving := b.component().Serving; serving == nil || serving.Version != "v1" {
		t.Errorf("serving %+v", serving)
	}
	// The change was there before the next one begins, and is in nobody's way.
	b.settled("v2", b.files("two"))
}
