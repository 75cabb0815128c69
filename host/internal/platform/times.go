package platform

import "time"

// Times are the waits of this package. A zero field is its default; others are
// for tests.
type Times struct {
	Start      time.Duration // until the handshake; default 10 s
	Describe   time.Duration // default 10 s
	Configure  time.Duration // default 60 s
	Ping       time.Duration // between two questions whether the plugin lives; default 1 s
	Answer     time.Duration // to such a question, else it is killed; default 3 s
	Settle     time.Duration // Ready for less is a failed start; default 10 s
	Reset      time.Duration // Ready for so long makes the next restart immediate; default 60 s
	BackoffMin time.Duration // second restart; default 1 s
	BackoffMax time.Duration // default 2 min
	Drain      time.Duration // grace for calls under way; default 10 s
	Stop       time.Duration // from Shutdown to SIGKILL of the group; default 5 s
}

func (t Times) withDefaults() Times {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Start, 10 * time.Second},
		{&t.Describe, 10 * time.Second},
		{&t.Configure, 60 * time.Second},
		{&t.Ping, time.Second},
		{&t.Answer, 3 * time.Second},
		{&t.Settle, 10 * time.Second},
		{&t.Reset, 60 * time.Second},
		{&t.BackoffMin, time.Second},
		{&t.BackoffMax, 2 * time.Minute},
		{&t.Drain, 10 * time.Second},
		{&t.Stop, 5 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return t
}
