package live

import (
	"context"
	"errors"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	apiv1 "github.com/apm-deploy/apm/api/v1"
)

// TerminalInput is where keys come from.
type TerminalInput io.Reader

// screen shows the deployment as a picture that renews itself in place. The
// last one stays on the terminal.
func screen(ctx context.Context, stream Stream, c Config) (*State, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	m := &model{now: c.Now, width: c.Out.Width, height: c.Out.Height, detach: func() { cancel(ErrDetached) }}
	program := tea.NewProgram(m,
		tea.WithOutput(c.Out.Writer), tea.WithInput(c.In), tea.WithoutSignalHandler(),
		tea.WithWindowSize(max(c.Out.Width, 10), max(c.Out.Height, 5)),
	)
	type result struct {
		state *State
		err   error
	}
	done := make(chan result, 1)
	go func() {
		show := func(s *State, _ apiv1.Event) error {
			program.Send(changed{picture: s.snapshot()})
			return nil
		}
		state, err := follow(ctx, stream, c, show, nil)
		program.Send(finished{})
		done <- result{state, err}
	}()
	_, err := program.Run()
	cancel(nil)
	r := <-done
	if errors.Is(context.Cause(ctx), ErrDetached) {
		return r.state, ErrDetached
	}
	if err != nil {
		return r.state, err
	}
	return r.state, r.err
}

// snapshot copies what Picture reads: the view draws while events go on.
func (s *State) snapshot() *State {
	c := *s
	c.Components = make([]apiv1.Component, len(s.Components))
	for i := range s.Components {
		c.Components[i] = s.Components[i]
		c.Components[i].Resources = append([]apiv1.Resource(nil), s.Components[i].Resources...)
		c.Components[i].Checks = append([]apiv1.HealthCheck(nil), s.Components[i].Checks...)
	}
	c.Logs = clone(s.Logs)
	c.Drift = clone(s.Drift)
	c.Candidates = clone(s.Candidates)
	return &c
}

func clone[K comparable, V any](m map[K]V) map[K]V {
	c := make(map[K]V, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

// Messages of the program.
type (
	changed  struct{ picture *State }
	finished struct{}
	tick     struct{}
)

// model is the bubbletea side: it holds the last state and draws it.
type model struct {
	state         State
	now           func() time.Time
	width, height int
	detach        func()
	// ended: the next picture is the last, the one that stays.
	ended bool
}

// Init starts the clock that keeps times up to date.
func (m *model) Init() tea.Cmd { return clockTick() }

func clockTick() tea.Cmd {
	return tea.Tick(time.Second, func(time.Time) tea.Msg { return tick{} })
}

// Update takes in what has changed.
func (m *model) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case changed:
		m.state = *message.picture
	case finished:
		m.ended = true
		return m, tea.Quit
	case tick:
		return m, clockTick()
	case tea.WindowSizeMsg:
		m.width, m.height = message.Width, message.Height
	case tea.KeyPressMsg:
		if key := message.String(); key == "ctrl+c" || key == "q" {
			m.detach()
			m.ended = true
			return m, tea.Quit
		}
	}
	return m, nil
}

// View draws the state. One line is left for the cursor below: at its end
// bubbletea erases the line that it is on, which must be none of the picture.
func (m *model) View() tea.View {
	picture := m.state.Picture(m.width, m.height-1, m.now(), true)
	if m.ended {
		picture += "\n"
	}
	return tea.NewView(picture)
}
