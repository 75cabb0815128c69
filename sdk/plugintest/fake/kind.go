package fake

import "slices"

// The kinds of faults.
const (
	kindRefuse   = "refuse"
	kindError    = "error"
	kindPanic    = "panic"
	kindHang     = "hang"
	kindSlow     = "slow"
	kindCrash    = "crash"
	kindFreeze   = "freeze"
	kindFlood    = "flood"
	kindLie      = "lie"
	kindForget   = "forget"
	kindMistake  = "mistake"
	kindOversize = "oversize"
	kindGarble   = "garble"
	kindNoise    = "noise"
	kindBreak    = "break"
)

// Calls in which a fault can strike, beside those of the contract by their names.
const (
	callStart       = "start"        // before the handshake
	callWatch       = "watch"        // of an operation
	callWatchTarget = "watch_target" // of what runs
)

// calls are all of them, and whether they are about a component.
var calls = map[string]bool{
	callStart: false, "describe": false, "validate": false, "configure": false, "health": false, "inventory": false, "drain": false,
	"resolve": true, "snapshot": true, "plan": true, "deploy": true, "rollback": true, "promote": true, "cancel": true,
	"recover": true, callWatch: true, callWatchTarget: true, "probe": true, "logs": true,
}

// kindRules say what the block of a kind may hold.
type kindRules struct {
	uses     []string // attributes beside kind
	needs    []string
	calls    []string // nil: all but start
	fallback string   // the call where none is named
	what     []string
}

// Attributes that many kinds have.
var (
	occasion = []string{"after", "times"}
	about    = []string{"application", "component", "version", "operation"}
	inCall   = append([]string{"call"}, append(occasion, about...)...)
	atCall   = append([]string{"at", "after_events"}, inCall...)
)

func with(list []string, more ...string) []string {
	return append(append([]string(nil), list...), more...)
}

// What floods, lies and mistakes there are.
const (
	floodEvents = "events"
	floodLines  = "lines"
	floodLog    = "log"
	floodStderr = "stderr"

	lieSuccess    = "success"
	lieFailure    = "failure"
	lieProgress   = "progress"
	lieLate       = "late"
	lieRevision   = "revision"
	lieUnfinished = "unfinished"
	lieNotStarted = "not_started"
	lieUnknown    = "unknown"

	mistakeOperation = "operation"
	mistakeComponent = "component"
)

// kinds is the one table of what there is.
var kinds = map[string]kindRules{
	kindRefuse: {uses: with(occasion, "call", "message"), calls: []string{"configure"}, fallback: "configure"},
	kindError: {
		uses: with(atCall, "code", "reason", "message", "retry_after"), needs: []string{"call", "code"},
		calls: []string{
			"validate", "configure", "health", "resolve", "snapshot", "plan", "deploy", "rollback", "promote", "cancel", "recover",
			callWatch, callWatchTarget, "probe", "logs", "inventory",
		},
	},
	kindPanic: {
		uses: with(inCall, "message"), needs: []string{"call"},
		calls: []string{
			"validate", "configure", "health", "resolve", "snapshot", "plan", "deploy", "rollback", "promote", "cancel", "recover",
			callWatch, callWatchTarget, "probe", "logs", "inventory",
		},
	},
	kindHang:   {uses: atCall, calls: everywhere, fallback: callWatch},
	kindSlow:   {uses: with(inCall, "delay"), needs: []string{"call", "delay"}, calls: everywhere},
	kindCrash:  {uses: with(atCall, "exit_code"), calls: everywhere, fallback: callWatch},
	kindFreeze: {uses: atCall, calls: everywhere, fallback: callWatch},
	kindFlood: {
		uses: with(inCall, "what", "rate", "for", "resources", "bytes"), needs: []string{"what"}, fallback: callWatch,
		calls: []string{callWatch, callWatchTarget, "configure"}, what: []string{floodEvents, floodLines, floodLog, floodStderr},
	},
	kindLie:      {uses: with(about, "what"), needs: []string{"what"}, what: []string{lieSuccess, lieFailure, lieProgress, lieLate, lieRevision, lieUnfinished}},
	kindForget:   {uses: with(append(with(about), occasion...), "what"), what: []string{lieNotStarted, lieUnknown}},
	kindMistake:  {uses: with(about, "what"), needs: []string{"what"}, what: []string{mistakeOperation, mistakeComponent}},
	kindOversize: {uses: with(inCall, "bytes"), needs: []string{"call"}},
	kindGarble:   {uses: inCall, needs: []string{"call"}},
	kindNoise:    {uses: with(occasion, "call", "message"), calls: []string{callStart}, fallback: callStart},
	kindBreak:    {uses: []string{"rule"}, needs: []string{"rule"}},
}

// Kinds returns the kinds of faults, and the words of the attribute what of each.
func Kinds() map[string][]string {
	all := make(map[string][]string, len(kinds))
	for name, rules := range kinds {
		all[name] = slices.Clone(rules.what)
	}
	return all
}

// Calls returns the calls in which faults strike.
func Calls() []string { return slices.Clone(everywhere) }

// everywhere is all calls, the start included.
var everywhere = sortedKeys(calls)

// call returns the call in which a fault strikes.
func (f Fault) call() string {
	if f.Call != "" {
		return f.Call
	}
	return kinds[f.kind()].fallback
}
