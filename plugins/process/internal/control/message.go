// Package control is how a plugin talks to a shim: JSON lines over a Unix
// socket, one request per connection, answered by one line or by a stream of
// them. Both sides prove that they can read the component's state file. A newer
// plugin drives an older shim, so fields are added and never renamed; what the
// types of the SDK say is written down by package record.
package control

import (
	"encoding/json"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/record"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
	"github.com/apm-deploy/apm/plugins/process/internal/state"
	"github.com/apm-deploy/apm/sdk"
)

// Protocol is the version of the messages.
const Protocol = 1

// Methods of a shim.
const (
	Start       = "start" // a deploy or a rollback
	Promote     = "promote"
	Cancel      = "cancel"
	Recover     = "recover"
	Describe    = "describe"
	Probe       = "probe"
	Watch       = "watch"        // stream
	WatchTarget = "watch_target" // stream
	Logs        = "logs"         // stream
)

// Request is the first line of a connection.
type Request struct {
	Protocol  int             `json:"protocol"`
	Nonce     string          `json:"nonce"`
	Method    string          `json:"method"`
	Identity  state.Identity  `json:"identity"`
	Version   string          `json:"version,omitempty"` // of the application
	Settings  *state.Settings `json:"settings,omitempty"`
	Operation *Operation      `json:"operation,omitempty"`
	Goal      *Goal           `json:"goal,omitempty"`
	Expected  string          `json:"expected,omitempty"` // observed digest
	Retain    []string        `json:"retain,omitempty"`   // digests of snapshots whose artifacts stay
	Percent   int             `json:"percent,omitempty"`
	Token     []byte          `json:"token,omitempty"`
	Logs      *LogQuery       `json:"logs,omitempty"`
}

// Operation is sdk.Operation.
type Operation struct {
	ID           string            `json:"id"`
	DeploymentID string            `json:"deployment_id,omitempty"`
	Kind         sdk.OperationKind `json:"kind,omitempty"`
	Digest       string            `json:"digest,omitempty"`
	Epoch        uint64            `json:"epoch,omitempty"`
	Staged       bool              `json:"staged,omitempty"`
}

// Goal is what an operation leads to: a release, or nothing.
type Goal struct {
	Release  *release.Release `json:"release,omitempty"` // nil: remove
	Version  string           `json:"version,omitempty"`
	Files    string           `json:"files,omitempty"` // digest that the files must have
	Rollback bool             `json:"rollback,omitempty"`
}

// LogQuery selects log lines.
type LogQuery struct {
	Resource string    `json:"resource,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Tail     int       `json:"tail,omitempty"`
	Follow   bool      `json:"follow,omitempty"`
	Previous bool      `json:"previous,omitempty"`
}

// Response is one line of an answer.
type Response struct {
	Proof  string           `json:"proof,omitempty"` // on the first line
	Error  *Error           `json:"error,omitempty"`
	Result json.RawMessage  `json:"result,omitempty"`
	Events []record.Event   `json:"events,omitempty"`
	Lines  []record.LogLine `json:"lines,omitempty"`
	End    bool             `json:"end,omitempty"` // of a stream
}

// Error is sdk.Error on its way.
type Error struct {
	Code     sdk.Code          `json:"code"`
	Reason   sdk.Reason        `json:"reason,omitempty"`
	Message  string            `json:"message"`
	Resource string            `json:"resource,omitempty"`
	By       string            `json:"by,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Description is the answer to Describe.
type Description struct {
	State    state.State `json:"state"`
	Observed string      `json:"observed"`          // digest of what runs; "" where it could not be looked at
	Problem  string      `json:"problem,omitempty"` // why not
	Files    string      `json:"files,omitempty"`   // digest of its files
	Changed  []string    `json:"changed,omitempty"` // files that were changed by somebody else
	PIDs     []int       `json:"pids,omitempty"`
}

// Recovery is the answer to Recover.
type Recovery struct {
	Status  sdk.RecoverStatus `json:"status"`
	Outcome *record.Outcome   `json:"outcome,omitempty"`
	Message string            `json:"message,omitempty"`
}
