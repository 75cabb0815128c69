package record

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/apm-deploy/apm/sdk"
)

const (
	// maxFeed is how many lines are kept of an operation, and maxFeedBytes how much.
	maxFeed      = 10_000
	maxFeedBytes = 4 << 20
	// maxFeeds is of how many operations of a component.
	maxFeeds = 2
)

// feed is what the driver of an operation shows and says, for those who watch it. Each
// line has a number, and each change of the picture: who has seen up to one asks for what
// is newer.
type feed struct {
	operation string
	subject   string

	mu    sync.Mutex
	lines []sdk.LogLine
	first uint64 // number of the first of lines; 1 is the first that was said
	bytes int

	seq       uint64     // of the picture
	shown     *sdk.State // without resources; nil: nothing yet
	shownAt   uint64     // when phase, message or fraction changed
	order     []string
	resources map[string]*resource
	broken    error
}

type resource struct {
	sdk.Resource
	seq  uint64
	gone bool
}

func newFeed(o *Operation) *feed {
	return &feed{operation: o.ID, subject: o.Subject, first: 1, resources: map[string]*resource{}}
}

// heard is the feed of an operation, empty where this process has not driven it, or
// forgot.
func (p *place) heard(o *Operation) *feed {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.find(o.ID); f != nil {
		return f
	}
	return newFeed(o)
}

// feed is that of an operation that is driven, made if need be.
func (p *place) feed(o *Operation) *feed {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.find(o.ID)
	if f == nil {
		f = newFeed(o)
		p.feeds = append(slices.Clone(p.feeds[max(0, len(p.feeds)+1-maxFeeds):]), f)
	}
	return f
}

func (p *place) find(operation string) *feed {
	for _, f := range p.feeds {
		if f.operation == operation {
			return f
		}
	}
	return nil
}

func (f *feed) say(lines []sdk.LogLine) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, line := range lines {
		f.lines = append(f.lines, line)
		f.bytes += len(line.Line)
	}
	for len(f.lines) > maxFeed || f.bytes > maxFeedBytes {
		f.bytes -= len(f.lines[0].Line)
		f.lines = f.lines[1:]
		f.first++
	}
}

// show replaces the picture, and says whether it is another.
func (f *feed) show(state sdk.State) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed := false
	if s := f.shown; s == nil || s.Phase != state.Phase || s.Message != state.Message || s.Fraction != state.Fraction {
		f.seq++
		f.shown, f.shownAt, changed = &sdk.State{Phase: state.Phase, Message: state.Message, Fraction: state.Fraction}, f.seq, true
	}
	f.order = f.order[:0]
	there := make(map[string]bool, len(state.Resources))
	for _, now := range state.Resources {
		there[now.ID] = true
		f.order = append(f.order, now.ID)
		if was := f.resources[now.ID]; was == nil || was.gone || was.Resource != now {
			f.seq++
			f.resources[now.ID] = &resource{Resource: now, seq: f.seq}
			changed = true
		}
	}
	for id, was := range f.resources {
		if !there[id] && !was.gone {
			f.seq++
			was.Health, was.Message = sdk.ResourceGone, ""
			was.seq, was.gone, changed = f.seq, true, true
		}
	}
	f.forget()
	return changed
}

// forget drops what is gone once there is more of it than of what is there: who has not
// seen it by then sees a State.
func (f *feed) forget() {
	if len(f.resources) <= 2*len(f.order)+100 {
		return
	}
	maps.DeleteFunc(f.resources, func(_ string, r *resource) bool { return r.gone })
	f.seq++
	f.shownAt = f.seq
}

// state is the picture as it is, nil if nothing was shown, and its number.
func (f *feed) state() (*sdk.State, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stateLocked(), f.seq
}

func (f *feed) stateLocked() *sdk.State {
	if f.shown == nil {
		return nil
	}
	s := *f.shown
	s.Resources = make([]sdk.Resource, 0, len(f.order))
	for _, id := range f.order {
		s.Resources = append(s.Resources, f.resources[id].Resource)
	}
	return &s
}

// said returns up to limit lines after a number, how many before them are lost, and
// the number of the last.
func (f *feed) said(after uint64, limit int) (lines []sdk.LogLine, dropped, last uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if after+1 < f.first {
		dropped = f.first - 1 - after
		after = f.first - 1
	}
	from := int(min(after+1-f.first, uint64(len(f.lines))))
	lines = slices.Clone(f.lines[from:min(from+limit, len(f.lines))])
	return lines, dropped, after + uint64(len(lines))
}

// news is what is newer than a number: a State if phase, message or fraction are others,
// else resources.
func (f *feed) news(after uint64) (state *sdk.State, resources []sdk.Resource, last uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shownAt > after {
		return f.stateLocked(), nil, f.seq
	}
	var newer []*resource
	for _, r := range f.resources {
		if r.seq > after {
			newer = append(newer, r)
		}
	}
	slices.SortFunc(newer, func(a, b *resource) int { return cmp.Compare(a.seq, b.seq) })
	for _, r := range newer {
		resources = append(resources, r.Resource)
	}
	return nil, resources, f.seq
}

// tail is the last lines.
func (f *feed) tail(limit int) []sdk.LogLine {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lines[max(0, len(f.lines)-limit):])
}

// fail tells those who watch that nobody drives the operation any more; nil that
// somebody does.
func (f *feed) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
}

func (f *feed) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.broken
}
