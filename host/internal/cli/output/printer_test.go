package output_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/apm-deploy/apm/host/internal/cli/output"
)

// hostile drives a terminal, and is no YAML as it is.
const hostile = "fine\x1b[2J\x07\u009b1m\u202egpj\ufffe\x7f\nsecond"

// printed returns what a printer writes of a value with the hostile text.
func printed(t *testing.T, options output.Options, terminal output.Terminal) string {
	t.Helper()
	var b strings.Builder
	p := output.Printer{Options: options, Out: output.Writer{Writer: &b, Terminal: terminal}}
	value := map[string]any{"text": hostile}
	if err := p.Print(value, []any{value}, nil); err != nil {
		t.Fatalf("%+v: %v", options, err)
	}
	return b.String()
}

// TestMachineFormatsHoldTextsThatDriveNoTerminal: the text is whole for a
// program, and nothing of it acts.
func TestMachineFormatsHoldTextsThatDriveNoTerminal(t *testing.T) {
	t.Parallel()
	for format, decode := range map[output.Format]func([]byte, any) error{
		output.JSON: json.Unmarshal, output.JSONL: json.Unmarshal, output.YAML: yaml.Unmarshal,
	} {
		text := printed(t, output.Options{Format: format}, output.Terminal{})
		var got map[string]string
		if err := decode([]byte(text), &got); err != nil || got["text"] != hostile {
			t.Errorf("%s: %q, %v", format, got["text"], err)
		}
		acts(t, string(format), text)
	}
}

// TestExpressionsOnATerminal write texts as they are for a program, and clean for
// a person.
func TestExpressionsOnATerminal(t *testing.T) {
	t.Parallel()
	for _, options := range []output.Options{{JQ: ".text"}, {Template: "{{.text}}\n"}} {
		if got := printed(t, options, output.Terminal{}); got != hostile+"\n" {
			t.Errorf("%+v: %q", options, got)
		}
		got := printed(t, options, output.Terminal{Present: true, Width: 80})
		if !strings.HasPrefix(got, "fine") || !strings.HasSuffix(got, "\nsecond\n") {
			t.Errorf("%+v on a terminal: %q", options, got)
		}
		acts(t, "on a terminal", got)
	}
}

// acts fails the test for each character that is not just shown.
func acts(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			t.Errorf("%s: %U is in %q", what, r, text)
		}
	}
}
