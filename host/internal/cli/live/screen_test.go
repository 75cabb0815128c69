package live_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/live"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// The last picture stays on the terminal whole: what the program then writes
// begins below it. So it is whether others were drawn before or not.
func TestScreenLeavesTheWholePicture(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]time.Duration{"at once": 0, "each drawn": 30 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leavesTheWholePicture(t, pause)
		})
	}
}

func leavesTheWholePicture(t *testing.T, pause time.Duration) {
	t.Helper()
	p := failing(t)
	p.add(deployment.EventStatus, deployment.StatusPayload{Run: 1, From: "deploying", Status: "failed", Reason: "healthz failed"})
	terminal := &terminal{}
	now := func() time.Time { return start.Add(20 * time.Second) }
	slowly := func(ctx context.Context, yield func(apiv1.Event) error) error {
		return play(p.events...)(ctx, func(e apiv1.Event) error {
			if pause > 0 {
				<-time.After(pause)
			}
			return yield(e)
		})
	}
	state, err := live.Follow(t.Context(), slowly, live.Config{
		Now: now, In: nil, Out: output.Writer{Writer: terminal, Terminal: output.Terminal{Control: true, Present: true, Width: 100, Height: 40}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := terminal.lines()
	picture := strings.Split(state.Picture(100, 39, now(), false), "\n")
	for i, want := range picture {
		if i >= len(got) || got[i] != want {
			t.Fatalf("line %d of %d is not %q:\n%s", i+1, len(picture), want, strings.Join(got, "\n"))
		}
	}
	if terminal.row < len(picture) {
		t.Errorf("the cursor stays in line %d of the picture", terminal.row+1)
	}
}

// A check of a resource goes with it.
func TestChecksOfWhatIsGoneAreGone(t *testing.T) {
	t.Parallel()
	p := failing(t)
	p.add(deployment.EventCheckStatus, deployment.CheckPayload{Component: "web", Name: "web-2", Type: "process", Status: "healthy"})
	if !strings.Contains(p.state().Picture(100, 40, start, false), "check web-2") {
		t.Fatal("the check is not shown at all")
	}
	p.add(deployment.EventResourceStatus, deployment.ResourcePayload{Component: "web", Resource: deployment.Resource{ID: "web-2", Health: deployment.ResourceGone}})
	if picture := p.state().Picture(100, 40, start, false); strings.Contains(picture, "check web-2") || !strings.Contains(picture, "check home") {
		t.Error(picture)
	}
}

// terminal understands as much of what a terminal does as the view uses.
type terminal struct {
	mu       sync.Mutex
	parser   *ansi.Parser
	cells    [][]rune
	row, col int
}

func (s *terminal) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parser == nil {
		s.parser = ansi.NewParser()
		s.parser.SetHandler(ansi.Handler{Print: s.print, Execute: s.control, HandleCsi: s.csi, HandleEsc: s.escape})
	}
	for _, b := range data {
		s.parser.Advance(b)
	}
	return len(data), nil
}

func (s *terminal) print(r rune) {
	s.reach()
	s.cells[s.row][s.col] = r
	s.col++
}

// reach makes the cell under the cursor.
func (s *terminal) reach() {
	for len(s.cells) <= s.row {
		s.cells = append(s.cells, nil)
	}
	for len(s.cells[s.row]) <= s.col {
		s.cells[s.row] = append(s.cells[s.row], ' ')
	}
}

func (s *terminal) control(b byte) {
	switch b {
	case '\r':
		s.col = 0
	case '\n': // its driver makes both of it
		s.row, s.col = s.row+1, 0
	case '\b':
		s.col--
	}
}

// escape is what has no parameters: M is one line up.
func (s *terminal) escape(command ansi.Cmd) {
	if command.Final() == 'M' {
		s.row = max(s.row-1, 0)
	}
}

func (s *terminal) csi(command ansi.Cmd, params ansi.Params) {
	n, _, _ := params.Param(0, 1)
	n = max(n, 1)
	switch command.Final() {
	case 'A':
		s.row -= n
	case 'B':
		s.row += n
	case 'C':
		s.col += n
	case 'D':
		s.col -= n
	case 'G':
		s.col = n - 1
	case 'd':
		s.row = n - 1
	case 'H':
		column, _, _ := params.Param(1, 1)
		s.row, s.col = n-1, max(column, 1)-1
	case 'J', 'K', 'X':
		s.erase(command.Final(), n)
	}
	s.row, s.col = max(s.row, 0), max(s.col, 0)
}

// erase is J (to the end of the screen), K (of the line) or X (of n cells).
func (s *terminal) erase(what byte, n int) {
	s.reach()
	end := len(s.cells[s.row])
	if what == 'X' {
		end = min(s.col+n, end)
	}
	for i := s.col; i < end; i++ {
		s.cells[s.row][i] = ' '
	}
	if what == 'J' {
		s.cells = s.cells[:s.row+1]
	}
}

func (s *terminal) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := make([]string, len(s.cells))
	for i, cells := range s.cells {
		lines[i] = strings.TrimRight(string(cells), " ")
	}
	return lines
}
