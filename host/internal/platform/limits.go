package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// limitFiles bounds the descriptors of a plugin, where its block says so.
func (p *process) limitFiles(plugin Plugin) error {
	if plugin.OpenFiles == 0 {
		return nil
	}
	pid, err := strconv.Atoi(p.child.ID())
	if err != nil {
		return err
	}
	err = setOpenFiles(pid, plugin.OpenFiles)
	if errors.Is(err, fs.ErrPermission) {
		return mistake{unusable(err, "set open_files in its plugin block to what the host may open itself (ulimit -Hn), or less",
			"plugin %q: open_files = %d is more than the host may open itself", plugin.Name, plugin.OpenFiles)}
	}
	if err != nil {
		return unusable(err, ownerRemedy, "plugin %q: limit its open files: %v", plugin.Name, err)
	}
	return nil
}

// sizeText renders a number of bytes in MiB.
func sizeText(bytes int64) string {
	const mebi = 1 << 20
	if bytes%mebi == 0 {
		return fmt.Sprintf("%dMiB", bytes/mebi)
	}
	return fmt.Sprintf("%.1fMiB", float64(bytes)/mebi)
}
