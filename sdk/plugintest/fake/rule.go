package fake

// breakable are the rules of the contract that the fake can be told to break, one
// at a time, with rule in a fault of the kind break; what it then does.
var breakable = map[string]string{
	"leak":      "logs the secret of the platform block",
	"diff":      "shows a secret in the diff of a plan",
	"late":      "reads the file at Deploy instead of at Resolve",
	"rollback":  "goes back to something else than the snapshot",
	"keep":      "leaves something behind when it goes back to nothing",
	"epoch":     "listens to a host that lost the component",
	"mismatch":  "takes another digest under an id that it knows",
	"expected":  "does not compare the live state with what is expected",
	"eager":     "gives a candidate traffic before Promote",
	"forgetful": "does not know what became of any operation",
	"token":     "takes every resume token",
	"stateless": "begins a stream without a State",
	"goroutine": "leaves a goroutine behind",
	"blind":     "tells no drift",
	"twice":     "gives another handle for the same Deploy",
}

// Rules returns the rules that can be broken.
func Rules() []string { return sortedKeys(breakable) }
