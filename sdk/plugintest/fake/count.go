package fake

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// faultsDir lies in the root and holds what is remembered of faults. No component
// can be there: names of applications begin with no dot.
const faultsDir = ".faults"

func faultFile(root string, names ...string) string {
	return filepath.Join(append([]string{root, faultsDir}, names...)...)
}

// occurs counts an occasion of a fault, and says whether the fault strikes in it.
// The count is a file per occasion, made exclusively: it survives whatever kills
// the process, and two processes never take the same.
func occurs(root string, f Fault) (bool, error) {
	if f.After == 0 && f.Times == 0 {
		return true, nil
	}
	last := f.After + f.Times
	if f.Times == 0 {
		last = f.After
	}
	dir := faultFile(root, "counts", f.Label)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return false, err
	}
	for n := 1; n <= last; n++ {
		file, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(n)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		return n > f.After, file.Close()
	}
	return f.Times == 0, nil
}

// forgetCount lets a fault begin to count anew.
func forgetCount(root, label string) error { return os.RemoveAll(faultFile(root, "counts", label)) }
