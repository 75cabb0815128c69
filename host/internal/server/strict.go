package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	v1 "github.com/apm-deploy/apm/api/v1"
)

// checkJSON refuses what decoding would let through: nesting beyond maxDepth, a
// name that stands twice in an object, NUL characters, and text after the value.
// Types and names are judged by the schema afterwards.
func checkJSON(body []byte) *problem {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	scan := &scanner{decoder: decoder}
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
	return nil
}

// refuse answers 422 and says where.
func (s *scanner) refuse(message, remedy string) *problem {
	location := "body" + strings.Join(s.path, "")
	if len(location) > 200 {
		location = location[:200] + "…"
	}
	location = strings.ToValidUTF8(strings.ReplaceAll(location, "\x00", `\u0000`), "")
	return newProblem(http.StatusUnprocessableEntity, "the request is not valid: "+location+": "+message, "",
		v1.ProblemItem{Location: location, Message: message, Remedy: remedy})
}

// malformed answers 400 and says at which byte.
func (s *scanner) malformed(err error) *problem {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends too early")
	}
	message := fmt.Sprintf("at byte %d: %s", s.decoder.InputOffset(), strings.TrimPrefix(err.Error(), "json: "))
	return newProblem(http.StatusBadRequest, "the body is not JSON: "+message, "",
		v1.ProblemItem{Location: "body", Message: message})
}
