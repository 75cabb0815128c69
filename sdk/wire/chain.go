package wire

// chain holds entries in their order. The links are in the entries themselves:
// one allocation for an event, not three.
type chain struct{ oldest, newest *entry }

func (c *chain) push(one *entry) {
	if one.older = c.newest; one.older == nil {
		c.oldest = one
	} else {
		one.older.newer = one
	}
	c.newest = one
}

func (c *chain) remove(one *entry) {
	if one.older == nil {
		c.oldest = one.newer
	} else {
		one.older.newer = one.newer
	}
	if one.newer == nil {
		c.newest = one.older
	} else {
		one.newer.older = one.older
	}
	one.older, one.newer = nil, nil
}

// fifo holds the entries of log lines, of which the oldest always goes first.
type fifo struct {
	oldest, newest *entry
	count          int
}

func (f *fifo) push(one *entry) {
	if f.newest == nil {
		f.oldest = one
	} else {
		f.newest.newerLog = one
	}
	f.newest = one
	f.count++
}

func (f *fifo) pop() {
	one := f.oldest
	if f.oldest = one.newerLog; f.oldest == nil {
		f.newest = nil
	}
	one.newerLog = nil
	f.count--
}
