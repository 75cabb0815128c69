package v1

import "time"

// Target is one application in one environment.
type Target struct {
	Application string            `json:"application"`
	Environment string            `json:"environment"`
	Version     string            `json:"version,omitempty" doc:"What runs."`
	Current     string            `json:"current,omitempty" doc:"Deployment that is current."`
	Holder      string            `json:"holder,omitempty" doc:"Deployment that holds the lock."`
	Queue       []string          `json:"queue" doc:"Deployments that wait for the lock, in order."`
	Health      string            `json:"health" enum:"healthy,degraded,unhealthy,unknown"`
	Drifted     []string          `json:"drifted,omitempty" doc:"Components that were changed by somebody else."`
	Components  []TargetComponent `json:"components"`
}

// TargetComponent is one component that runs.
type TargetComponent struct {
	Name       string            `json:"name"`
	Platform   string            `json:"platform"`
	Version    string            `json:"version"`
	Deployment string            `json:"deployment_id"`
	Addresses  map[string]string `json:"addresses,omitempty"`
}

// TargetList holds all targets.
type TargetList struct {
	Targets []Target `json:"targets"`
}

// Application is what is known of an application.
type Application struct {
	Name         string   `json:"name"`
	File         string   `json:"file,omitempty"`
	Environments []string `json:"environments"`
	Components   []string `json:"components"`
	Problem      string   `json:"problem,omitempty" doc:"Why its file cannot be read."`
}

// ApplicationList holds all applications.
type ApplicationList struct {
	Applications []Application `json:"applications"`
}

// Plugin is a configured platform and the process behind it.
type Plugin struct {
	Platform     string            `json:"platform"`
	Plugin       string            `json:"plugin"`
	Version      string            `json:"version,omitempty"`
	Path         string            `json:"path"`
	SHA256       string            `json:"sha256,omitempty"`
	PinnedBy     string            `json:"pinned_by,omitempty" doc:"Where the checksum is pinned: config.hcl or apm.lock.hcl; absent: nowhere, the plugin is in development."`
	State        string            `json:"state" enum:"absent,starting,ready,unhealthy,backoff,broken,draining,stopped"`
	Reason       string            `json:"reason,omitempty" doc:"Why, and what to do where only a person can."`
	PID          int               `json:"pid,omitempty"`
	Restarts     int               `json:"restarts" doc:"Since the host started."`
	Since        time.Time         `json:"since" doc:"When it came into its state."`
	NextStart    *time.Time        `json:"next_start,omitempty" doc:"When it is started again."`
	Health       string            `json:"health,omitempty"`
	Capabilities []string          `json:"capabilities"`
	Attributes   map[string]string `json:"attributes,omitempty"`
	Limits       *PluginLimits     `json:"limits,omitempty" doc:"Absent: it has none of its own."`
	Misdeeds     map[string]uint64 `json:"misdeeds,omitempty" doc:"How often it broke a rule of the contract since the host started, by rule: progress_backwards, after_outcome, plugin_bug."`
	Output       []string          `json:"output,omitempty" doc:"Last lines of the process that ended; only for one plugin, and with a token."`
	Config       []SchemaKey       `json:"config,omitempty" doc:"Keys of a platform block; only for one plugin."`
	Spec         []SchemaKey       `json:"spec,omitempty" doc:"Keys of a spec block; only for one plugin."`
	Schema       *PluginSchema     `json:"schema,omitempty" doc:"The same as they are nested; only for one plugin."`
}

// PluginLimits bound a plugin's process.
type PluginLimits struct {
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	OpenFiles   int   `json:"open_files,omitempty"`
}

// PluginUpgrade says what an upgrade of a plugin did.
type PluginUpgrade struct {
	Plugin      string   `json:"plugin"`
	FromVersion string   `json:"from_version,omitempty"`
	ToVersion   string   `json:"to_version,omitempty"`
	FromSHA256  string   `json:"from_sha256,omitempty"`
	ToSHA256    string   `json:"to_sha256,omitempty"`
	Platforms   []string `json:"platforms" doc:"Those that run the new binary."`
	Unchanged   bool     `json:"unchanged,omitempty" doc:"What is pinned runs already; nothing was done."`
}

// PluginSchema is what the blocks of a plugin may hold.
type PluginSchema struct {
	Config SchemaBlock `json:"config" doc:"Of a platform block."`
	Spec   SchemaBlock `json:"spec" doc:"Of a component's spec block."`
}

// SchemaBlock is what a block may hold.
type SchemaBlock struct {
	Description string         `json:"description,omitempty"`
	Deprecated  bool           `json:"deprecated,omitempty"`
	Attributes  []SchemaKey    `json:"attributes"`
	Blocks      []SchemaNested `json:"blocks"`
}

// SchemaNested is a block within a block.
type SchemaNested struct {
	Name     string      `json:"name"`
	Nesting  string      `json:"nesting" enum:"single,list,map" doc:"map: each has a label, which is unique."`
	MinItems uint32      `json:"min_items,omitempty"`
	MaxItems uint32      `json:"max_items,omitempty" doc:"Absent: no limit."`
	Block    SchemaBlock `json:"block"`
}

// SchemaKey is one key of a plugin's schema.
type SchemaKey struct {
	Name        string `json:"name" doc:"In the flat lists with the blocks that it stands in: port.NAME.listen (NAME is a label), mount.N.path (N is a number from 0)."`
	Type        string `json:"type"`
	Required    bool   `json:"required,omitempty"`
	Sensitive   bool   `json:"sensitive,omitempty"`
	Path        bool   `json:"path,omitempty" doc:"It names files: relative ones are refused over REST, the CLI makes them absolute."`
	Deprecated  bool   `json:"deprecated,omitempty"`
	Default     string `json:"default,omitempty"`
	Description string `json:"description,omitempty"`
}

// PluginList holds all platforms.
type PluginList struct {
	Plugins []Plugin `json:"plugins"`
}

// AuditRecord says who changed what.
type AuditRecord struct {
	ID     int64     `json:"id"`
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Role   string    `json:"role,omitempty"`
	Action string    `json:"action"`
	Object string    `json:"object"`
	Detail string    `json:"detail,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// AuditList is a page, newest first.
type AuditList struct {
	Records []AuditRecord `json:"records"`
	Next    string        `json:"next,omitempty"`
}

// Token is a credential without its secret.
type Token struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      string     `json:"role" enum:"viewer,deployer,admin"`
	CreatedAt time.Time  `json:"created_at"`
	CreatedBy string     `json:"created_by"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	LastUsed  *time.Time `json:"last_used_at,omitempty" doc:"Absent: never."`
}

// TokenRequest is the body of POST /api/v1/tokens.
type TokenRequest struct {
	Name         string `json:"name" minLength:"1" maxLength:"100"`
	Role         string `json:"role" enum:"viewer,deployer,admin"`
	ExpiresHours int    `json:"expires_hours,omitempty" minimum:"1" doc:"Default: never."`
}

// NewToken is a token with its secret, shown once.
type NewToken struct {
	Token
	Secret string `json:"secret"`
}

// TokenList holds all tokens.
type TokenList struct {
	Tokens []Token `json:"tokens"`
}

// Health is the body of GET /healthz.
type Health struct {
	Status       string `json:"status" enum:"ok,unavailable"`
	Version      string `json:"version"`
	Host         string `json:"host"`
	PID          int    `json:"pid"`
	Installation string `json:"installation_id"`
}

// Problem is an RFC 9457 problem+json body.
type Problem struct {
	Type     string        `json:"type,omitempty"`
	Title    string        `json:"title"`
	Status   int           `json:"status"`
	Detail   string        `json:"detail,omitempty"`
	Instance string        `json:"instance,omitempty"`
	Code     string        `json:"code" doc:"invalid, not_found, conflict, forbidden, unauthorized, unavailable, plan_out_of_date, internal"`
	Remedy   string        `json:"remedy,omitempty"`
	Holder   string        `json:"holder,omitempty" doc:"Deployment in the way."`
	Errors   []ProblemItem `json:"errors,omitempty"`
}

// ProblemItem is one thing wrong with an input.
type ProblemItem struct {
	Location string `json:"location,omitempty" doc:"\"body.configuration.command\""`
	Message  string `json:"message"`
	Remedy   string `json:"remedy,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Snippet  string `json:"snippet,omitempty"`
	Value    any    `json:"value,omitempty"`
}
