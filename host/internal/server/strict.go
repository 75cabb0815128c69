package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	v1 "github.com/apm-deploy/apm/api/v1"
)

// checkJSON refuses what decoding would let through or change: nesting beyond
// maxDepth, a name that stands twice in an object or holds control characters,
// NUL characters, what is no UTF-8, numbers that nothing can hold, and text after
// the value. Types and names are judged by the schema afterwards.
func checkJSON(body []byte) *problem {
	if at := notUTF8(body); at >= 0 {
		message := fmt.Sprintf("at byte %d: not UTF-8", at)
		return newProblem(http.StatusBadRequest, "the body is not JSON: "+message, "",
			v1.ProblemItem{Location: "body", Message: message, Remedy: "encode it as UTF-8"})
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	scan := &scanner{decoder: decoder, replaces: !bytes.ContainsRune(body, utf8.RuneError) && !writtenOut.Match(body)}
	if p := scan.value(); p != nil {
		return p
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return scan.malformed(errors.New("text after the JSON value"))
	}
	return nil
}

// scanner walks over a JSON value and knows where it is.
type scanner struct {
	decoder *json.Decoder
	path    []string
	// replaces: the body has no replacement character of its own, so that one in
	// a text stands for half of a pair of surrogates.
	replaces bool
}

// writtenOut finds a replacement character that was meant.
var writtenOut = regexp.MustCompile(`(?i)\\ufffd`)

// notUTF8 returns where the first byte is that is no UTF-8, -1 for nowhere.
func notUTF8(text []byte) int {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// value walks over one value.
func (s *scanner) value() *problem {
	token, err := s.decoder.Token()
	if err != nil {
		return s.malformed(err)
	}
	switch t := token.(type) {
	case string:
		return s.text(t)
	case json.Number:
		if _, err := t.Float64(); err != nil {
			return s.refuse("a number out of all range", "write a smaller one")
		}
		return nil
	case json.Delim:
		if len(s.path) >= maxDepth {
			return s.refuse(fmt.Sprintf("nested deeper than %d", maxDepth), "send a flatter value")
		}
		if t == '{' {
			return s.object()
		}
		return s.array()
	default:
		return nil
	}
}

// object walks over the rest of an object.
func (s *scanner) object() *problem {
	seen := map[string]bool{}
	for s.decoder.More() {
		token, err := s.decoder.Token()
		if err != nil {
			return s.malformed(err)
		}
		name, ok := token.(string)
		if !ok {
			return s.malformed(errors.New("a name of an object is no string"))
		}
		s.path = append(s.path, "."+name)
		if p := s.text(name); p != nil {
			return p
		}
		if hasControl(name) {
			return s.refuse("a name with control characters", "leave them out")
		}
		if seen[name] {
			return s.refuse("stands twice in the object", "keep one of them")
		}
		seen[name] = true
		if p := s.value(); p != nil {
			return p
		}
		s.path = s.path[:len(s.path)-1]
	}
	return s.end()
}

// array walks over the rest of an array.
func (s *scanner) array() *problem {
	for i := 0; s.decoder.More(); i++ {
		s.path = append(s.path, fmt.Sprintf("[%d]", i))
		if p := s.value(); p != nil {
			return p
		}
		s.path = s.path[:len(s.path)-1]
	}
	return s.end()
}

// end takes the closing delimiter.
func (s *scanner) end() *problem {
	if _, err := s.decoder.Token(); err != nil {
		return s.malformed(err)
	}
	return nil
}

// text judges a string.
func (s *scanner) text(text string) *problem {
	if strings.ContainsRune(text, 0) {
		return s.refuse("contains a NUL character", "leave it out")
	}
	if s.replaces && strings.ContainsRune(text, utf8.RuneError) {
		return s.refuse("contains half of a pair of surrogates", "write both, or leave it out")
	}
	return nil
}

// refuse answers 422 and says where.
func (s *scanner) refuse(message, remedy string) *problem {
	location := "body" + strings.Join(s.path, "")
	if len(location) > 200 {
		location = strings.ToValidUTF8(location[:200], "") + "…"
	}
	location = escapeControl(location)
	return newProblem(http.StatusUnprocessableEntity, "the request is not valid: "+location+": "+message, "",
		v1.ProblemItem{Location: location, Message: message, Remedy: remedy})
}

// escapeControl writes control characters as JSON does.
func escapeControl(text string) string {
	if !hasControl(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hasControl(string(r)) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// malformed answers 400 and says at which byte.
func (s *scanner) malformed(err error) *problem {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends too early")
	}
	message := fmt.Sprintf("at byte %d: %s", s.decoder.InputOffset(), strings.TrimPrefix(err.Error(), "json: "))
	return newProblem(http.StatusBadRequest, "the body is not JSON: "+message, "",
		v1.ProblemItem{Location: "body", Message: message, Remedy: "send one JSON value"})
}
