package component

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// LogFile is where the lines of an operation are.
func (d Dir) LogFile(operation string) string { return d.own(logs, name(sumOf(operation))) }

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Log writes the lines of one operation.
type Log struct{ file *os.File }

// OpenLog opens the log of an operation; an earlier try may have written to it.
func (d Dir) OpenLog(operation string) (*Log, error) {
	path := d.LogFile(operation)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &Log{file}, nil
}

// Printf writes a line, in one piece.
func (l *Log) Printf(format string, args ...any) error {
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", `\n`)
	_, err := fmt.Fprintf(l.file, "%s\t%s\n", time.Now().UTC().Format(time.RFC3339Nano), line)
	return err
}

// Close closes the log.
func (l *Log) Close() error { return l.file.Close() }

// Line is one line of a log.
type Line struct {
	At   time.Time
	Text string
}

// ReadLog returns up to limit lines of an operation from an offset on, and the
// offset after them. A log that is not there has no lines.
func (d Dir) ReadLog(operation string, offset int64, limit int) (lines []Line, next int64, err error) {
	file, err := os.Open(d.LogFile(operation))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, offset, nil
	}
	if err != nil {
		return nil, offset, err
	}
	defer file.Close()
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, offset, err
	}
	in := bufio.NewReader(file)
	for len(lines) < limit {
		text, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break // a line that is not whole comes next time
		}
		if err != nil {
			return lines, offset, err
		}
		offset += int64(len(text))
		stamp, text, _ := strings.Cut(strings.TrimSuffix(text, "\n"), "\t")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			continue // torn by a crash
		}
		lines = append(lines, Line{At: at, Text: text})
	}
	return lines, offset, nil
}
