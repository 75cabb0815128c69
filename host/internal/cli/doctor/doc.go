// Package doctor looks for what keeps a host from working, and for what an
// installation left running; the latter it can remove.
//
// It must never touch what belongs to a host that runs.
package doctor
