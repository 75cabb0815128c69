package logfile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/plugins/process/internal/logfile"
)

func read(path string) ([]logfile.Line, error) {
	log, err := logfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	var lines []logfile.Line
	for line, err := range log.All() {
		if err != nil {
			return lines, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// What was opened stays as it was, whatever is written and rotated meanwhile.
func TestAnOpenLogStays(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log")
	w, err := logfile.Create(path, 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	add := func(from, to int) {
		for n := from; n < to; n++ {
			w.Append(logfile.Line{Time: time.Now(), Stream: "stdout", Run: 1, Text: fmt.Sprintf("line %d", n)})
		}
	}
	add(0, 30) // rotated once at least
	log, err := logfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	texts := func() (texts []string) {
		for line, err := range log.All() {
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, line.Text)
		}
		return texts
	}
	before := texts()
	add(30, 100)
	if diff := cmp.Diff(before, texts()); diff != "" || before[len(before)-1] != "line 29" {
		t.Errorf("%s\n%v", diff, before)
	}
}

func TestBoundAndOrder(t *testing.T) {
	t.Parallel()
	const bound = 4096
	path := filepath.Join(t.TempDir(), "a.log")
	w, err := logfile.Create(path, bound)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 1000 {
		w.Append(logfile.Line{Time: time.Now(), Stream: "stdout", Run: 1, Text: fmt.Sprintf("line %d", n)})
	}
	w.Append(logfile.Line{Time: time.Now(), Stream: "stdout", Run: 1, Text: strings.Repeat("x", 2*bound)}) // cannot fit
	w.Close()
	w.Append(logfile.Line{Text: "after Close"})
	for _, name := range []string{path, path + ".1"} {
		if info, err := os.Stat(name); err != nil || info.Size() > bound {
			t.Errorf("%s: %d bytes %v, want at most %d", name, info.Size(), err, bound)
		}
	}
	lines, err := read(path)
	if err != nil || len(lines) < 50 || lines[len(lines)-1].Text != "line 999" {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	first := 1000 - len(lines)
	for i, line := range lines {
		if line.Text != fmt.Sprintf("line %d", first+i) {
			t.Fatalf("line %d is %q", i, line.Text)
		}
	}
}

func TestLinesComeBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log")
	w, err := logfile.Create(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	want := []logfile.Line{
		{Time: at, Stream: "stdout", Run: 1, Text: "with  two spaces"},
		{Time: at, Stream: "stderr", Run: 2, Text: ""},
		{Time: at, Stream: "stdout", Run: 2, Text: "last"},
	}
	for _, line := range want {
		w.Append(line)
	}
	w.Close()
	all, err := read(path)
	if diff := cmp.Diff(want, all); diff != "" || err != nil {
		t.Error(diff, err)
	}
	none, err := read(path + ".missing")
	if len(none) != 0 || err != nil {
		t.Error(none, err)
	}
}
