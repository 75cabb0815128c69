// Package logfile keeps the output of one instance in a bounded file: each line
// with its time, its stream and the number of the run that wrote it. When the
// file is full it becomes the one old file, and a new one begins. It never
// loses a line that fits, and never grows beyond its bound.
package logfile

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// DefaultSize is the bound of a file where none is given, in bytes.
const DefaultSize = 10 << 20

// MaxLine is the longest line that is kept whole; a longer one is cut into
// several.
const MaxLine = 16 << 10

const oldSuffix = ".1"

// Line is one line of output.
type Line struct {
	Time   time.Time
	Stream string // stdout or stderr
	Run    int    // of the instance: 1 for the first start
	Text   string
}

// Writer appends lines. It is safe for several goroutines.
type Writer struct {
	mu   sync.Mutex
	path string
	max  int64
	size int64
	file *os.File
}

// Create begins a log file at path that grows to bound bytes (DefaultSize for
// 0 or less), and as much again in its old file.
func Create(path string, bound int64) (*Writer, error) {
	if bound <= 0 {
		bound = DefaultSize
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create log file: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("create log file: %w", err)
	}
	return &Writer{path: path, max: bound, size: info.Size(), file: file}, nil
}

// Append writes one line. A line that cannot be written (the disk is full) is
// dropped: an application must not stop because of its log.
func (w *Writer) Append(line Line) {
	stream := "o"
	if line.Stream == "stderr" {
		stream = "e"
	}
	text := strings.ReplaceAll(line.Text, "\x00", `\0`)
	data := fmt.Appendf(nil, "%s %s %d %s\n", line.Time.UTC().Format(time.RFC3339Nano), stream, line.Run, text)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil || int64(len(data)) > w.max {
		return
	}
	if w.size+int64(len(data)) > w.max {
		w.rotate()
	}
	n, _ := w.file.Write(data)
	w.size += int64(n)
}

func (w *Writer) rotate() {
	_ = os.Rename(w.path, w.path+oldSuffix)
	file, err := os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		_ = w.file.Truncate(0) // keep the bound, whatever else fails
		w.size = 0
		return
	}
	_ = w.file.Close()
	w.file, w.size = file, 0
}

// Close ends the writer; later lines are dropped.
func (w *Writer) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
}

func parse(raw string) (Line, bool) {
	parts := strings.SplitN(raw, " ", 4)
	if len(parts) != 4 {
		return Line{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, parts[0])
	if err != nil {
		return Line{}, false
	}
	run, err := strconv.Atoi(parts[2])
	if err != nil {
		return Line{}, false
	}
	stream := "stdout"
	if parts[1] == "e" {
		stream = "stderr"
	}
	return Line{Time: at, Stream: stream, Run: run, Text: parts[3]}, true
}
