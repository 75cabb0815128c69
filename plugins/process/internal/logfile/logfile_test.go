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
	lines, err := logfile.Read(path, 0, nil)
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

func TestReadSelects(t *testing.T) {
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
	all, err := logfile.Read(path, 0, nil)
	if diff := cmp.Diff(want, all); diff != "" || err != nil {
		t.Error(diff, err)
	}
	tail, err := logfile.Read(path, 1, func(l logfile.Line) bool { return l.Run == 2 })
	if diff := cmp.Diff(want[2:], tail); diff != "" || err != nil {
		t.Error(diff, err)
	}
	none, err := logfile.Read(path+".missing", 0, nil)
	if len(none) != 0 || err != nil {
		t.Error(none, err)
	}
}
