// Package app wires the parts of the host into one process. It decides nothing
// that belongs to a part, and is the only package that knows all of them.
package app
