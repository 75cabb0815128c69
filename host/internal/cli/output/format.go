package output

import (
	"fmt"
	"strings"
)

// Format is how data is written.
type Format string

// The formats.
const (
	Table Format = "table" // columns that fit the terminal
	Wide  Format = "wide"  // more columns, never truncated
	JSON  Format = "json"  // one indented document, as REST answers it
	YAML  Format = "yaml"  // the same as YAML
	JSONL Format = "jsonl" // one line for each element
)

// Formats are those that -o takes.
func Formats() []string {
	return []string{string(Table), string(Wide), string(JSON), string(YAML), string(JSONL)}
}

// Set parses s; it makes Format a flag value.
func (f *Format) Set(s string) error {
	for _, known := range Formats() {
		if s == known {
			*f = Format(s)
			return nil
		}
	}
	return fmt.Errorf("must be one of %s", strings.Join(Formats(), ", "))
}

// String returns the name.
func (f *Format) String() string { return string(*f) }

// Type is shown in the help of the flag.
func (*Format) Type() string { return "format" }

// Options are the flags that every command with data has.
type Options struct {
	Format   Format // default Table
	JQ       string // jq expression over the JSON; replaces the format unless it is JSONL
	Template string // Go template over the JSON
}

// Machine says whether the output is for programs: then nothing but data is on
// it, and nothing is asked.
func (o Options) Machine() bool {
	return o.JQ != "" || o.Template != "" || (o.Format != Table && o.Format != Wide && o.Format != "")
}
