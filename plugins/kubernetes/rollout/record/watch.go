package record

import (
	"context"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

const (
	// watchLooks is how often Watch asks the cluster where another process drives the
	// operation; where this one does it is told.
	watchLooks = time.Second
	// batch is how many lines are sent at once.
	batch = 64
)

// position is how much of an operation was sent. With the process that sent it, since
// only that one has the lines, it is the resume token.
type position struct {
	steps   int
	line    uint64
	picture uint64
}

func (p position) token(operation, process string) []byte {
	return fmt.Appendf(nil, "%s %s %d %d %d", operation, process, p.steps, p.line, p.picture)
}

// parseToken reads a token. One of another process goes on with the steps, behind a
// State.
func parseToken(token []byte, operation, process string) (p position, same bool, err error) {
	var of, by string
	n, err := fmt.Sscanf(string(token), "%s %s %d %d %d", &of, &by, &p.steps, &p.line, &p.picture)
	if err != nil || n != 5 || of != operation || p.steps < 0 {
		return p, false, expired(operation)
	}
	if by != process {
		return position{steps: p.steps}, false, nil
	}
	return p, true, nil
}

func expired(operation string) *sdk.Error {
	return sdk.Errorf(sdk.OutOfRange, sdk.ReasonResumeExpired, "the resume token is not of operation %q: watch again without one", operation)
}

// Watch sends what is written down of an operation, and what its driver in this process
// says and shows, and waits for more until it has ended. A token of this process goes on
// where it was, one of another goes on with the steps, behind a State of what is now.
func (j *Journal) Watch(ctx context.Context, r sdk.WatchRequest, sink sdk.Sink) (err error) {
	w := watch{Journal: j, sink: sink, id: r.Operation.ID}
	if w.id == "" {
		if w.id, err = OperationOf(r.Handle); err != nil {
			return err
		}
	}
	goesOn := false
	if len(r.ResumeToken) > 0 {
		if w.at, goesOn, err = parseToken(r.ResumeToken, w.id, j.book.id); err != nil {
			return err
		}
	}
	for first := true; ; first = false {
		changed := j.Changed()
		o, err := w.look(ctx, first)
		if err != nil {
			return err
		}
		if w.at.steps > len(o.Steps) {
			return expired(o.ID)
		}
		if o.Outcome != nil {
			w.at.steps = min(w.at.steps, len(o.Steps)-1) // the Outcome ends every watch, also one that has told it
		}
		if first && !goesOn {
			if err := w.begin(o); err != nil {
				return err
			}
		}
		if ended, err := w.send(o); ended || err != nil {
			return err
		}
		if err := w.wait(ctx, changed, o); err != nil {
			return err
		}
	}
}

// watch is one stream.
type watch struct {
	*Journal
	sink sdk.Sink
	id   string
	at   position
}

// look reads the operation. Those who ask first ask the cluster.
func (w *watch) look(ctx context.Context, first bool) (*Operation, error) {
	var r *Record
	var err error
	if first {
		r, err = w.Read(ctx)
	} else {
		r, err = w.recent(ctx, watchLooks/2)
	}
	if err != nil {
		return nil, err
	}
	o := r.Operation(w.id)
	if o == nil {
		return nil, unknown(w.id)
	}
	return o, nil
}

// wait returns when there may be something new. What this process drives it knows, and
// asks the cluster rarely.
func (w *watch) wait(ctx context.Context, changed <-chan struct{}, o *Operation) error {
	often := watchLooks
	if o.Driver == w.book.id {
		often = driverLooks
	}
	timer := time.NewTimer(often)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
		if _, err := w.recent(ctx, often/2); err != nil && ctx.Err() == nil {
			return err
		}
	case <-w.book.ctx.Done():
		return sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "the plugin ends")
	case <-ctx.Done():
	}
	return ctx.Err()
}

// begin sends the State that a stream begins with.
func (w *watch) begin(o *Operation) error {
	state, number := w.stateOf(o)
	w.at.picture = number
	return w.tell(sdk.Event{ObservedAt: time.Now(), State: state})
}

// tell sends events with the token after them.
func (w *watch) tell(events ...sdk.Event) error {
	if len(events) == 0 {
		return nil
	}
	events[len(events)-1].ResumeToken = w.at.token(w.id, w.book.id)
	return w.sink(events...)
}

// send sends what is new, lines first: when a step is written, so are the lines before
// it said.
func (w *watch) send(o *Operation) (ended bool, err error) {
	f := w.place.heard(o)
	for {
		lines, dropped, last := f.said(w.at.line, batch)
		w.at.line = last
		var events []sdk.Event
		if dropped > 0 {
			events = append(events, sdk.Event{ObservedAt: time.Now(), DroppedLogLines: dropped})
		}
		for i := range lines {
			events = append(events, sdk.Event{ObservedAt: lines[i].Time, Log: &lines[i]})
		}
		if err := w.tell(events...); err != nil {
			return false, err
		}
		if len(lines) < batch {
			break
		}
	}
	if err := w.picture(o, f); err != nil {
		return false, err
	}
	for w.at.steps < len(o.Steps) {
		step := o.Steps[w.at.steps]
		w.at.steps++
		switch {
		case step.Name == Candidate:
			err = w.tell(sdk.Event{ObservedAt: step.At, Candidate: candidateOf(o)})
		case step.Name == end:
			return true, w.tell(sdk.Event{ObservedAt: step.At, Outcome: o.outcome()})
		case w.at.picture == 0 && !w.plain(o):
			state, _ := w.stateOf(o)
			err = w.tell(sdk.Event{ObservedAt: step.At, State: state})
		}
		if err != nil {
			return false, err
		}
	}
	return false, f.failure()
}

// plain says whether the next step is one that only a State tells: one State tells all
// that follow on each other.
func (w *watch) plain(o *Operation) bool {
	if w.at.steps == len(o.Steps) {
		return false
	}
	name := o.Steps[w.at.steps].Name
	return name != Candidate && name != end
}

// picture sends what is new of it, if this process was shown any; else it is told with
// the steps.
func (w *watch) picture(o *Operation, f *feed) error {
	state, resources, last := f.news(w.at.picture)
	w.at.picture = last
	var events []sdk.Event
	if state != nil {
		state.Candidate = waiting(o)
		events = append(events, sdk.Event{ObservedAt: time.Now(), State: state})
	}
	for i := range resources {
		events = append(events, sdk.Event{ObservedAt: time.Now(), Resource: &resources[i]})
	}
	return w.tell(events...)
}

// stateOf is the picture as this process was shown it, or else as it is written, and its
// number.
func (w *watch) stateOf(o *Operation) (*sdk.State, uint64) {
	state, number := w.place.heard(o).state()
	if state == nil {
		state = w.book.config.State(o)
	}
	state.Candidate = waiting(o)
	return state, number
}

func waiting(o *Operation) *sdk.Candidate {
	if o.Waits() {
		return candidateOf(o)
	}
	return nil
}

func candidateOf(o *Operation) *sdk.Candidate {
	return &sdk.Candidate{Revision: o.Revision, Addresses: o.Addresses}
}
