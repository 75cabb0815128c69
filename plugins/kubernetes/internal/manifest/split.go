package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// chunk is the text of one document, and the line of its file on which it begins.
type chunk struct {
	text []byte
	line int
	json bool
}

// split finds the documents of a file.
func split(file string, text []byte) ([]chunk, *Problem) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if isJSON(file, text) {
		return splitJSON(file, text)
	}
	return splitYAML(text), nil
}

// isJSON says whether a text is to be read as JSON: an object of YAML may begin
// with a brace too, and has no quotes around its names.
func isJSON(file string, text []byte) bool {
	if strings.EqualFold(extension(file), ".json") {
		return true
	}
	rest, found := bytes.CutPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{"))
	if !found {
		return false
	}
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == '"'
}

// splitYAML cuts at the lines "---". Such a line is never part of a text within a
// document: YAML forbids it.
func splitYAML(text []byte) []chunk {
	var chunks []chunk
	start, startLine, line, offset := 0, 1, 1, 0
	end := func(at int) {
		if part := text[start:at]; !empty(part) {
			chunks = append(chunks, chunk{text: part, line: startLine})
		}
	}
	for offset < len(text) {
		next := len(text)
		if i := bytes.IndexByte(text[offset:], '\n'); i >= 0 {
			next = offset + i + 1
		}
		if marks(text[offset:next], "---") && offset > start {
			end(offset)
			start, startLine = offset, line
		} else if marks(text[offset:next], "...") {
			end(offset)
			start, startLine = next, line+1
		}
		offset = next
		line++
	}
	end(len(text))
	return chunks
}

// marks says whether a line is a mark between documents.
func marks(line []byte, mark string) bool {
	rest, found := bytes.CutPrefix(line, []byte(mark))
	return found && (len(rest) == 0 || strings.ContainsRune(" \t\r\n", rune(rest[0])))
}

// empty says whether a text holds nothing but marks and comments.
func empty(text []byte) bool {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte("---")))
		if len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// splitJSON cuts behind each object.
func splitJSON(file string, text []byte) ([]chunk, *Problem) {
	var chunks []chunk
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		before := decoder.InputOffset()
		var one json.RawMessage
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return chunks, nil
		}
		if err != nil {
			offset := int64(len(text))
			var wrong *json.SyntaxError
			if errors.As(err, &wrong) {
				offset = min(wrong.Offset, offset)
			}
			return nil, &Problem{
				File: file, Line: 1 + bytes.Count(text[:offset], []byte("\n")), Number: len(chunks) + 1,
				Message: "not JSON: " + err.Error(), Remedy: "correct the text",
			}
		}
		between := text[before : decoder.InputOffset()-int64(len(one))]
		chunks = append(chunks, chunk{
			text: one, json: true, line: 1 + bytes.Count(text[:before], []byte("\n")) + bytes.Count(between, []byte("\n")),
		})
	}
}
