package harness

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apm-deploy/apm/api/client"
)

// report tells what helps to understand a failed test: the host's log, the
// events of its deployments, and the logs of the shims.
func (h *Host) report(ctx context.Context) {
	h.t.Logf("the host's log ends with:\n%s", h.LogTail(60))
	if h.Running() && h.Client != nil {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		list, err := h.Client.List(ctx, client.ListOptions{Limit: 5})
		if err != nil {
			h.t.Logf("list of deployments: %v", err)
		}
		for _, d := range list.Deployments {
			h.t.Logf("%s %s is %s: %s\n%s", d.Name, d.Version, d.Status, d.Reason, h.events(ctx, d.ID))
		}
	}
	_ = filepath.WalkDir(h.Path(".local/state"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(entry.Name(), "shim.") && entry.Type().IsRegular() {
			if content, err := os.ReadFile(path); err == nil && len(content) > 0 && entry.Name() != "shim.sock" {
				h.t.Logf("%s:\n%s", path, content)
			}
		}
		return nil
	})
}

// events renders the last events of a deployment.
func (h *Host) events(ctx context.Context, id string) string {
	d, err := h.Client.Get(ctx, id)
	if err != nil {
		return err.Error()
	}
	const most = 80
	page, err := h.Client.Events(ctx, id, d.Seq-min(d.Seq, most), most)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, e := range page.Events {
		fmt.Fprintf(&b, "  %s %d %s %.300s\n", e.Time.Format("15:04:05.000"), e.Seq, e.Type, e.Data)
	}
	return b.String()
}
