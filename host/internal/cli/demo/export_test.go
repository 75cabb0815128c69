package demo

import "context"

// Open lays open the directory's lock.
func Open(root string) (*directory, error) { return open(root) }

// Note lays open what others are told.
func Note(d *directory, url string) error { return d.note(url) }

// Close lays open how the lock is given back.
func Close(d *directory) error { return d.close() }

// Write lays open the files that a demo writes.
func Write(root, executable, listen, app string) error {
	d, err := open(root)
	if err != nil {
		return err
	}
	p, err := findPrograms(executable)
	if err != nil {
		return err
	}
	return d.write(p, listen, app)
}

// FreeAddress lays open how a port is chosen.
func FreeAddress(ctx context.Context, host string, port int) (string, error) {
	return freeAddress(ctx, host, port)
}

// Compare lays open the comparison of POSTs.
func Compare(sent, arrived []string) Posts { return compare(sent, arrived) }
