// Package diag holds diagnostics: what is wrong with a configuration or a spec,
// with the path to the value that it is about. The host turns the path into
// file, line and column; a plugin never knows where a value was written.
package diag

import (
	"fmt"
	"strings"
)

// Severity says whether a diagnostic stops what was asked.
type Severity int

// The severities.
const (
	Error Severity = iota + 1
	Warning
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Diagnostic is one remark.
type Diagnostic struct {
	Severity Severity
	Summary  string   // what is wrong, one line
	Detail   string   // what to do
	Path     []string // of the value: {"port", "http", "listen"}; empty for the whole
}

// String renders "path: summary: detail".
func (d Diagnostic) String() string {
	parts := make([]string, 0, 3)
	for _, part := range []string{strings.Join(d.Path, "."), d.Summary, d.Detail} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// Diagnostics is a list of remarks. The zero value is ready to use.
type Diagnostics []Diagnostic

// Errorf appends an error about the value at path.
func (ds *Diagnostics) Errorf(path []string, format string, args ...any) {
	*ds = append(*ds, Diagnostic{Severity: Error, Summary: fmt.Sprintf(format, args...), Path: path})
}

// Warnf appends a warning about the value at path.
func (ds *Diagnostics) Warnf(path []string, format string, args ...any) {
	*ds = append(*ds, Diagnostic{Severity: Warning, Summary: fmt.Sprintf(format, args...), Path: path})
}

// HasErrors says whether one of them is an error.
func (ds Diagnostics) HasErrors() bool {
	for _, d := range ds {
		if d.Severity == Error {
			return true
		}
	}
	return false
}
