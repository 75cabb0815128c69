package logfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"
)

// Log is what a log file held when it was opened: what is written or rotated since
// is not in it. It takes a buffer's worth of memory, however large the file is.
type Log struct {
	parts []part // oldest first
}

type part struct {
	file *os.File
	size int64
}

// Open opens the log at path for reading. One that is missing has no lines. Close
// it.
func Open(path string) (_ *Log, err error) {
	l := &Log{}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	// The current file first: should it become the old one meanwhile, it is found
	// under both names, where the other order would miss it.
	for _, name := range []string{path, path + oldSuffix} {
		file, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read log file: %w", err)
		}
		info, err := file.Stat()
		if err != nil {
			_ = file.Close()
			return nil, fmt.Errorf("read log file: %w", err)
		}
		if len(l.parts) > 0 {
			if current, err := l.parts[0].file.Stat(); err == nil && os.SameFile(current, info) {
				_ = file.Close()
				continue
			}
		}
		l.parts = append([]part{{file, info.Size()}}, l.parts...)
	}
	return l, nil
}

// Close closes the files.
func (l *Log) Close() {
	for _, part := range l.parts {
		_ = part.file.Close()
	}
}

// All returns the lines, oldest first. It may be called again. An error is the
// last thing that it returns.
func (l *Log) All() iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		for _, part := range l.parts {
			lines := bufio.NewReaderSize(io.NewSectionReader(part.file, 0, part.size), 2*MaxLine)
			for {
				raw, err := lines.ReadSlice('\n')
				if line, ok := parse(strings.TrimSuffix(string(raw), "\n")); ok && !yield(line, nil) {
					return
				}
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil && !errors.Is(err, bufio.ErrBufferFull) { // a line that is none of ours
					yield(Line{}, fmt.Errorf("read log file: %w", err))
					return
				}
			}
		}
	}
}
