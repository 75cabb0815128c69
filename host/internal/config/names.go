package config

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName bounds the names of applications, environments and components, and
// versions, in bytes.
const maxName = 128

// nameError says what is wrong with a name or a version, "" for nothing. Names
// stand in URLs, labels and paths, so that "/" and what cannot be seen are
// refused.
func nameError(name string) string {
	switch {
	case name == "":
		return "must not be empty"
	case len(name) > maxName:
		return fmt.Sprintf("is %d bytes long, at most %d are allowed", len(name), maxName)
	case !utf8.ValidString(name):
		return "is no UTF-8 text"
	case name == "." || name == "..":
		return fmt.Sprintf("cannot be %q", name)
	}
	for _, r := range name {
		switch {
		case r == '/' || r == '\\':
			return fmt.Sprintf("must not hold %q", string(r))
		case unicode.IsControl(r):
			return fmt.Sprintf("holds the control character U+%04X", r)
		case !unicode.IsPrint(r):
			return fmt.Sprintf("holds the invisible character U+%04X", r)
		}
	}
	if strings.TrimSpace(name) != name {
		return "begins or ends with a space"
	}
	return ""
}

// checkName reports a bad name. what is "application", "component", …
func (ps *problems) checkName(at place, what, name string) bool {
	if wrong := nameError(name); wrong != "" {
		ps.add(at, fmt.Sprintf("at most %d bytes, visible characters, no /", maxName), "%s %s", what, wrong)
		return false
	}
	return true
}
