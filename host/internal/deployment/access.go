package deployment

import "time"

// Role is what a token may do. Each contains those before it.
type Role string

// The roles.
const (
	RoleViewer   Role = "viewer"   // read
	RoleDeployer Role = "deployer" // start, cancel, roll back, remove
	RoleAdmin    Role = "admin"    // tokens, audit, plugins
)

// rank orders the roles.
var rank = map[Role]int{RoleViewer: 1, RoleDeployer: 2, RoleAdmin: 3}

// Valid says whether r is a role.
func (r Role) Valid() bool { return rank[r] > 0 }

// Allows says whether r contains needed. What needs a role that does not exist
// is allowed to nobody.
func (r Role) Allows(needed Role) bool { return needed.Valid() && rank[r] >= rank[needed] }

// Actor is who did something.
type Actor struct {
	Kind ActorKind `json:"kind"`
	Name string    `json:"name"` // of the token, of the host
	Role Role      `json:"role,omitempty"`
}

// ActorKind is what kind of actor it is.
type ActorKind string

// The kinds of actor.
const (
	ActorToken     ActorKind = "token"
	ActorAnonymous ActorKind = "anonymous"
	ActorPolicy    ActorKind = "policy"
	ActorHost      ActorKind = "host"
)

// String returns the name, with the kind where it is no token.
func (a Actor) String() string {
	switch {
	case a.Kind == ActorToken || a.Kind == "":
		return a.Name
	case a.Name == "":
		return string(a.Kind)
	default:
		return string(a.Kind) + " " + a.Name
	}
}

// Token is a credential, without its secret.
type Token struct {
	ID        string    `json:"id"` // the public prefix
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	LastUsed  time.Time `json:"last_used,omitzero"`
}

// AuditRecord says who changed what. It is written in the transaction of the
// change: no record, no change.
type AuditRecord struct {
	ID     int64     `json:"id"` // assigned by the store, rising
	At     time.Time `json:"at"`
	Actor  Actor     `json:"actor"`
	Action string    `json:"action"`           // deployment.start, deployment.rollback, deployment.cancel, target.remove, token.create, token.revoke, plugin.restart, plugin.upgrade, plugin.reload
	Object string    `json:"object"`           // deployment id, token id, ...
	Detail string    `json:"detail,omitempty"` // one line, no secrets
	Reason string    `json:"reason,omitempty"`
}
