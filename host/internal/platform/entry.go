package platform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"
)

const (
	levelTrace = slog.LevelDebug - 4
	maxAttrs   = 32 // of one line
)

// reserved are the attributes by which the host says whose line it is.
var reserved = map[string]bool{"plugin": true, "platform": true}

// entry is one line of the contract's JSON.
type entry struct {
	time    time.Time
	level   slog.Level
	message string
	attrs   []slog.Attr
}

// parseEntry reads a line; false where it is not by the contract.
func parseEntry(line []byte) (entry, bool) {
	if len(line) == 0 || line[0] != '{' {
		return entry{}, false
	}
	fields := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return entry{}, false
	}
	message, ok := fields["@message"].(string)
	if !ok {
		return entry{}, false
	}
	e := entry{time: time.Now(), level: levelOf(fields["@level"]), message: message}
	if text, ok := fields["@timestamp"].(string); ok {
		if parsed, err := time.Parse(time.RFC3339Nano, text); err == nil {
			e.time = parsed
		}
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if key == "@message" || key == "@level" || key == "@timestamp" || key == "@module" && fields[key] == nil {
			continue
		}
		if len(e.attrs) == maxAttrs {
			break
		}
		e.attrs = append(e.attrs, attribute(key, fields[key]))
	}
	return e, true
}

func attribute(key string, value any) slog.Attr {
	switch {
	case key == "@module":
		key = "module"
	case reserved[key]:
		key += "_" // a plugin cannot speak as another
	}
	switch v := value.(type) {
	case string:
		return slog.String(key, v)
	case bool:
		return slog.Bool(key, v)
	case json.Number:
		return slog.String(key, v.String())
	default:
		encoded, err := json.Marshal(v)
		if err != nil {
			encoded = fmt.Append(nil, v)
		}
		return slog.String(key, string(encoded))
	}
}

func levelOf(value any) slog.Level {
	switch value {
	case "trace":
		return levelTrace
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}
