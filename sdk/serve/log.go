package serve

import (
	"io"
	"log/slog"
	"strings"
)

// The keys of a log line by the wire contract.
const (
	keyLevel     = "@level"
	keyMessage   = "@message"
	keyModule    = "@module"
	keyTimestamp = "@timestamp"
	timeLayout   = "2006-01-02T15:04:05.000000Z07:00"
)

// levelTrace is below debug, as the host's side of the contract has it.
const levelTrace = slog.LevelDebug - 4

// newLogHandler writes one JSON object a line.
func newLogHandler(out io.Writer, module string, level slog.Level) slog.Handler {
	handler := slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: rename})
	return handler.WithAttrs([]slog.Attr{slog.String(keyModule, module)})
}

// rename gives the built-in attributes the names of the contract. Those of the
// author keep theirs: they are told apart by their kinds.
func rename(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return attr
	}
	switch attr.Key {
	case slog.TimeKey:
		if attr.Value.Kind() == slog.KindTime {
			return slog.String(keyTimestamp, attr.Value.Time().Format(timeLayout))
		}
	case slog.LevelKey:
		if level, ok := attr.Value.Any().(slog.Level); ok {
			return slog.String(keyLevel, levelName(level))
		}
	case slog.MessageKey:
		return slog.String(keyMessage, attr.Value.String())
	}
	return attr
}

func levelName(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "error"
	case level >= slog.LevelWarn:
		return "warn"
	case level >= slog.LevelInfo:
		return "info"
	case level >= slog.LevelDebug:
		return "debug"
	default:
		return "trace"
	}
}

// logLevel reads the level that the host wants; info when it says nothing.
func logLevel(text string) slog.Level {
	switch strings.ToLower(text) {
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
