package output

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Terminal is what is known of the far end of a writer.
type Terminal struct {
	// Present: a person looks at it, so that a question can be asked.
	Present bool
	// Control: control bytes may be written (colours, a live view). NO_COLOR and
	// TERM=dumb say no.
	Control       bool
	Width, Height int // 0 where nothing is known
}

// Look returns what is known of w.
func Look(w any, getenv func(string) string) Terminal {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return Terminal{}
	}
	t := Terminal{Present: true}
	t.Control = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && getenv("TERM") != ""
	if width, height, err := term.GetSize(int(file.Fd())); err == nil {
		t.Width, t.Height = width, height
	}
	return t
}

// Writer is an output and what is known of its far end.
type Writer struct {
	io.Writer
	Terminal
}
