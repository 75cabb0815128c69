// Package output writes a command's data: as a table for people, as JSON, YAML
// or JSON lines for programs, through a jq expression or a Go template.
//
// It must never write a control byte unless its writer is a terminal that takes
// colours; text that came from an application is cleaned before it is shown.
package output
