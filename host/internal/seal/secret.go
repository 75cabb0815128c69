package seal

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted stands for every secret.
const redacted = "[redacted]"

// Secret is a text that shows itself to nobody but Reveal: fmt, encoding/json and
// log/slog print [redacted] for it. The zero Secret is empty.
type Secret struct {
	// A pointer: fmt prints unexported fields of other structs without asking
	// their methods, and then shows an address.
	text *string
}

// NewSecret hides a text.
func NewSecret(text string) Secret { return Secret{text: &text} }

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty says whether there is nothing to hide.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// String implements fmt.Stringer.
func (s Secret) String() string { return redacted }

// Format implements fmt.Formatter, for every verb.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// MarshalText implements encoding.TextMarshaler, for JSON and other encodings.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
