package fake

import "time"

// Config is the platform block.
type Config struct {
	Root   string           `apm:"root,required,path" doc:"the directory in which components live, and the counts of faults"`
	Secret string           `apm:"secret,sensitive" doc:"a text that nobody may see"`
	Faults map[string]Fault `apm:"fault,block" doc:"one way in which the platform misbehaves; the label is its kind, unless kind says it"`
}

// Spec is the spec block.
type Spec struct {
	File   string        `apm:"file,required,path" doc:"its content is what runs"`
	Secret string        `apm:"secret,sensitive" doc:"a text that nobody may see"`
	Lines  int           `apm:"lines" default:"0" doc:"log lines written at the start"`
	Takes  time.Duration `apm:"takes" default:"\"0s\"" doc:"how long the deploy takes to bring the component up"`
	Fails  string        `apm:"fails" doc:"the code with which the deploy fails, such as EXITED"`
}

// Fault is one way in which the platform misbehaves, as a block "fault" of the
// platform block. Which attributes a kind has is in the table of
// docs/fault-injection.md; another is an error.
type Fault struct {
	Label string `apm:"label,label"`
	Kind  string `apm:"kind" doc:"what goes wrong; the label of the block where it is left out"`

	// When it strikes.
	Call        string `apm:"call" doc:"the call in which it strikes: deploy, watch, probe, …; start is before the handshake"`
	At          string `apm:"at" doc:"before or after the call had its effect; before where it is left out"`
	AfterEvents int    `apm:"after_events" doc:"strike on a Watch that has sent so many events"`
	After       int    `apm:"after" doc:"so many occasions pass first"`
	Times       int    `apm:"times" doc:"it strikes so often, restarts of the process included; always where it is left out"`
	Application string `apm:"application" doc:"only calls about this application"`
	Component   string `apm:"component" doc:"only calls about this component"`
	Version     string `apm:"version" doc:"only calls about this version"`
	Operation   string `apm:"operation" doc:"only calls about a deploy, or about a rollback"`

	// What it does.
	What       string        `apm:"what" doc:"which flood, lie or mistake"`
	Delay      time.Duration `apm:"delay" doc:"how long a slow call waits"`
	ExitCode   *int          `apm:"exit_code" doc:"exit with this code instead of by SIGKILL"`
	Code       string        `apm:"code" doc:"of the error, such as UNAVAILABLE"`
	Reason     string        `apm:"reason" doc:"of the error, such as PLATFORM_UNAVAILABLE"`
	Message    string        `apm:"message" doc:"what it says"`
	RetryAfter time.Duration `apm:"retry_after" doc:"of the error"`
	Rate       int           `apm:"rate" doc:"of a flood, a second"`
	For        time.Duration `apm:"for" doc:"how long the flood lasts"`
	Resources  int           `apm:"resources" doc:"how many resources the events of a flood are about; 1,000 where it is left out"`
	Bytes      int           `apm:"bytes" doc:"the size of a message, of each event of a flood, or of all that goes to standard error"`
	Rule       string        `apm:"rule" doc:"the rule of the contract to break, for the conformance suite"`
}

// kind returns what goes wrong.
func (f Fault) kind() string {
	if f.Kind != "" {
		return f.Kind
	}
	return f.Label
}
