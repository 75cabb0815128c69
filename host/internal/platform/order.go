package platform

import "errors"

// errInterrupted is the end of an order that something else came in the way of.
var errInterrupted = errors.New("the platform was stopped or restarted meanwhile")

// order is what was asked of a keeper: it ends the turn and shapes the next. The
// methods of none do nothing.
type order struct {
	reason string   // why the process of the turn is drained
	pin    *Pin     // what runs from now on; nil: what is pinned when the turn begins
	fresh  *process // runs it already, not configured; nil: one is started

	// told hears whether the process stayed ready until it had settled; it has
	// room for that. nil: nobody asks, or was told.
	told     chan<- error
	old      *Pin // to go back to where it does not stay; nil: nothing ran before
	wasReady bool // with old
}

// onTrial says whether somebody waits to hear how the process does.
func (o *order) onTrial() bool { return o != nil && o.told != nil }

// goesBack says whether the old binary follows when the process ends now.
func (o *order) goesBack() bool { return o.onTrial() && o.old != nil }

// finish tells how it went, once.
func (o *order) finish(err error) {
	if o.onTrial() {
		o.told <- err
		o.told = nil
	}
}

// drop ends an order that no turn has taken.
func (o *order) drop(err error) {
	if o == nil {
		return
	}
	if o.fresh != nil {
		err = errors.Join(err, o.fresh.discard())
	}
	o.finish(err)
}
