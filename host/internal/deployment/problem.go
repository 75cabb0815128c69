package deployment

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrorCode is the class of an error at the edge of the host; one table maps it
// to HTTP, one to exit codes.
type ErrorCode string

// The codes.
const (
	Invalid     ErrorCode = "invalid"          // 422
	NotFound    ErrorCode = "not_found"        // 404
	Conflict    ErrorCode = "conflict"         // 409
	Forbidden   ErrorCode = "forbidden"        // 403
	Unavailable ErrorCode = "unavailable"      // 503
	OutOfDate   ErrorCode = "plan_out_of_date" // 409, exit code 9
	Internal    ErrorCode = "internal"         // 500
	// Unauthorized: no token, or none that is valid; exit code 4.
	Unauthorized ErrorCode = "unauthorized" // 401
)

// Error is an error that a user sees.
type Error struct {
	Code     ErrorCode
	Message  string // what was wrong
	Remedy   string // what to do, "" where there is nothing to say
	Problems []Problem
	Holder   string // deployment in the way, of a conflict
	// RetryAfter is when asking again may help, of what is unavailable; 0 where
	// only a person can.
	RetryAfter time.Duration
	Err        error // for the log only
}

// Problem is one thing wrong with an input.
type Problem struct {
	Field   string `json:"field,omitempty"` // "configuration.port.http.listen"
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Snippet string `json:"snippet,omitempty"` // the line itself
	Warning bool   `json:"warning,omitempty"`
}

// String renders "file:line:column: field: message; remedy".
func (p Problem) String() string {
	var b strings.Builder
	switch {
	case p.File != "" && p.Line > 0:
		fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Column)
	case p.File != "": // it could not be read
		b.WriteString(p.File + ": ")
	}
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Message)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// Error returns the message with its problems and the remedy.
func (e *Error) Error() string {
	parts := []string{e.Message}
	for _, p := range e.Problems {
		parts = append(parts, p.String())
	}
	if e.Remedy != "" {
		parts = append(parts, e.Remedy)
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first Error in err's chain, Internal for any
// other error, "" for nil.
func CodeOf(err error) ErrorCode {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
