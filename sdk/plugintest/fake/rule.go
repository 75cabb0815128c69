package fake

// breakable are the rules of the contract that the fake can be told to break, one
// at a time, with rule in a fault of the kind break, and what it then does. Each
// is found by one case of the conformance suite.
var breakable = map[string]string{
	// Where the platform itself is to blame.
	"blameless":  "does not say who changed what runs",
	"blind":      "tells no drift",
	"denial":     "says of every operation that it was not started",
	"diff":       "shows a secret in the diff of a plan",
	"eager":      "gives a candidate traffic before Promote",
	"epoch":      "listens to a host that lost the component",
	"expected":   "does not compare the live state with what is expected",
	"forgetful":  "does not know what became of any operation",
	"goroutine":  "leaves a goroutine behind",
	"hoards":     "leaves all traffic with the old release until the last step",
	"impatient":  "gives a candidate all traffic when it recovers it",
	"keep":       "leaves something behind when it goes back to nothing",
	"late":       "reads the file at Deploy instead of at Resolve",
	"leak":       "logs the secret of the platform block",
	"leaps":      "gives all traffic at the first step",
	"lossy":      "loses log lines without counting them",
	"marks":      "puts its stamp on what it takes a snapshot of",
	"miserly":    "prunes what the host may want back",
	"mismatch":   "takes another digest under an id that it knows",
	"newest":     "reads no handle of its previous version",
	"weary":      "tells each outcome three times and no more",
	"one_way":    "goes back to a snapshot once",
	"optimist":   "calls unknown what is gone",
	"planner":    "changes what it plans to change",
	"polite":     "cancels and promotes what it was never given",
	"private":    "goes back only to what this process has seen",
	"rewind":     "begins anew at each token",
	"rollback":   "goes back to something else than the snapshot",
	"short":      "ends the Watch of what runs",
	"speechless": "shows no evidence of a failure",
	"stale":      "goes back to a snapshot whose content was pruned",
	"stateless":  "begins a stream without a State",
	"stubborn":   "gives a candidate all traffic when it is cancelled",
	"token":      "takes every resume token",
	"twice":      "gives another handle for the same Deploy",
	"unaware":    "does not see that somebody else changed what runs",
	"unlisted":   "lists what other installations made as that of each",
	"unwell":     "is unhealthy as soon as it is configured",
	"whole":      "gives all lines where the last ones were asked for",

	// What the SDK keeps for every plugin is broken beneath it.
	"again":      "is configured a second time",
	"backwards":  "lets progress fall",
	"bursts":     "sends more than 64 events in a message",
	"chatterbox": "sends events after the outcome",
	"fat":        "takes snapshots of more than 8 MiB",
	"garbled":    "sends bytes that are no UTF-8",
	"handleless": "gives no handle for a Deploy",
	"huge":       "takes messages of any size",
	"nameless":   "does not say what it is called",
	"pathless":   "does not say where a mistake is",
	"silent":     "sends no heartbeat",
	"stacks":     "answers a panic with its stack",
	"steps":      "takes steps that it cannot take",
	"tireless":   "takes new work after Drain",
	"undeclared": "has a capability that it does not tell",
}

// Rules returns the rules that can be broken.
func Rules() []string { return sortedKeys(breakable) }
