package conform

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Streams are all that a run writes to.
type Streams struct {
	Out, Err io.Writer
	// Control: Out is a terminal that takes colours.
	Control bool
	// Width of the terminal; 0 where there is none, and nothing is cut.
	Width int
}

// System returns the streams of the process. NO_COLOR and TERM=dumb are honoured.
func System() Streams {
	s := Streams{Out: os.Stdout, Err: os.Stderr}
	if !term.IsTerminal(int(os.Stdout.Fd())) {
		return s
	}
	kind := os.Getenv("TERM")
	s.Control = os.Getenv("NO_COLOR") == "" && kind != "" && kind != "dumb"
	if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		s.Width = width
	}
	return s
}
