package output

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cli/go-gh/v2/pkg/template"
	"github.com/itchyny/gojq"
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

// Check says what is wrong with the jq expression or the template, as far as
// that can be known without the data.
func (o Options) Check() error {
	if o.JQ != "" {
		query, err := gojq.Parse(o.JQ)
		if err == nil {
			_, err = gojq.Compile(query, gojq.WithEnvironLoader(os.Environ))
		}
		if err != nil {
			return fmt.Errorf("--jq %q is no expression of jq: %w", o.JQ, err)
		}
	}
	if o.Template != "" {
		if err := template.New(io.Discard, noLimit, false).Parse(o.Template); err != nil {
			return fmt.Errorf("--template %q is no template of Go: %s", o.Template, strings.TrimPrefix(err.Error(), "template: "))
		}
	}
	return nil
}

// Machine says whether the output is for programs: then nothing but data is on
// it, and nothing is asked.
func (o Options) Machine() bool {
	return o.JQ != "" || o.Template != "" || (o.Format != Table && o.Format != Wide && o.Format != "")
}
