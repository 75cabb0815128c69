package doctor

import (
	"errors"
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// State is how a check came out.
type State string

// The states.
const (
	OK   State = "ok"
	Warn State = "warn" // it works, but a person should know
	Fail State = "fail" // it keeps a host from working
)

// Finding is the answer of one check.
type Finding struct {
	Check   string `json:"check"`
	State   State  `json:"state"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

func ok(check, format string, args ...any) Finding {
	return Finding{Check: check, State: OK, Message: fmt.Sprintf(format, args...)}
}

func warn(check, remedy, format string, args ...any) Finding {
	return Finding{Check: check, State: Warn, Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

func fail(check, remedy, format string, args ...any) Finding {
	return Finding{Check: check, State: Fail, Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

// failed turns an error into a finding, with its remedy where it has one.
func failed(check string, err error) Finding {
	f := Finding{Check: check, State: Fail, Message: err.Error()}
	var e *deployment.Error
	if errors.As(err, &e) {
		f.Message, f.Remedy = e.Message, e.Remedy
		for _, p := range e.Problems {
			f.Message += "; " + p.String()
		}
	}
	return f
}

// Worst returns the worst state of all.
func Worst(findings []Finding) State {
	worst := OK
	for _, f := range findings {
		if f.State == Fail {
			return Fail
		}
		if f.State == Warn {
			worst = Warn
		}
	}
	return worst
}
