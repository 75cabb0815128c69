package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// span is a flag's time that is not negative.
type span time.Duration

// Set parses text.
func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return errors.New("write a number and a unit, such as 30s, 10m or 2h")
	}
	*s = span(d)
	return nil
}

// String returns the time, "" for none.
func (s *span) String() string {
	if *s == 0 {
		return ""
	}
	return time.Duration(*s).String()
}

// Type is shown in the help of the flag.
func (*span) Type() string { return "time" }

// maxInput bounds the files of --config and --plan; the host takes no larger body.
const maxInput = 4 << 20

// readInput reads a file, or a pipe, that a flag names. The error does not name it.
func readInput(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxInput+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(content) > maxInput {
		return nil, fmt.Errorf("it is larger than %d MiB", maxInput>>20)
	}
	return content, nil
}

// cause is why a file could not be read, without its path.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return errors.New(strings.TrimSpace(err.Error()))
}
