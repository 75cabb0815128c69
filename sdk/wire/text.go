package wire

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

const replacement = "\uFFFD"

// validText replaces what is not UTF-8: protobuf refuses whole messages for it,
// and a plugin often passes on text that somebody else wrote.
func validText(s string) string { return strings.ToValidUTF8(s, replacement) }

// shorten cuts s to at most limit bytes and says so at its end.
func shorten(s string, limit int) string {
	const mark = "… [cut]"
	if len(s) <= limit {
		return s
	}
	cut := limit - len(mark)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + mark
}

// sanitize makes every string of a message valid UTF-8, in place.
func sanitize(m protoreflect.Message) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap():
			sanitizeMap(field, value.Map())
		case field.IsList():
			list := value.List()
			for i := range list.Len() {
				switch field.Kind() {
				case protoreflect.MessageKind:
					sanitize(list.Get(i).Message())
				case protoreflect.StringKind:
					if s := list.Get(i).String(); !utf8.ValidString(s) {
						list.Set(i, protoreflect.ValueOfString(validText(s)))
					}
				default:
				}
			}
		case field.Kind() == protoreflect.MessageKind:
			sanitize(value.Message())
		case field.Kind() == protoreflect.StringKind:
			if s := value.String(); !utf8.ValidString(s) {
				m.Set(field, protoreflect.ValueOfString(validText(s)))
			}
		}
		return true
	})
}

// sanitizeMap handles the only maps of the contract, of string to string.
func sanitizeMap(field protoreflect.FieldDescriptor, entries protoreflect.Map) {
	if field.MapKey().Kind() != protoreflect.StringKind || field.MapValue().Kind() != protoreflect.StringKind {
		return
	}
	bad := map[string]string{}
	entries.Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
		if !utf8.ValidString(key.String()) || !utf8.ValidString(value.String()) {
			bad[key.String()] = value.String()
		}
		return true
	})
	for key, value := range bad {
		entries.Clear(protoreflect.ValueOfString(key).MapKey())
		entries.Set(protoreflect.ValueOfString(validText(key)).MapKey(), protoreflect.ValueOfString(validText(value)))
	}
}

// firstInvalid returns the name of the first field whose text is not UTF-8, or
// "". The host's requests are checked and not repaired: a repaired name is
// another name.
func firstInvalid(m protoreflect.Message) string {
	var found string
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap():
			value.Map().Range(func(key protoreflect.MapKey, v protoreflect.Value) bool {
				if field.MapValue().Kind() == protoreflect.StringKind && (!utf8.ValidString(key.String()) || !utf8.ValidString(v.String())) {
					found = string(field.Name())
				}
				return found == ""
			})
		case field.IsList():
			list := value.List()
			for i := 0; i < list.Len() && found == ""; i++ {
				switch field.Kind() {
				case protoreflect.MessageKind:
					found = firstInvalid(list.Get(i).Message())
				case protoreflect.StringKind:
					if !utf8.ValidString(list.Get(i).String()) {
						found = string(field.Name())
					}
				default:
				}
			}
		case field.Kind() == protoreflect.MessageKind:
			found = firstInvalid(value.Message())
		case field.Kind() == protoreflect.StringKind && !utf8.ValidString(value.String()):
			found = string(field.Name())
		}
		return found == ""
	})
	return found
}
