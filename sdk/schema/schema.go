// Package schema describes what a plugin's configuration and spec may hold. A
// schema comes from a tagged struct ([Of]); the same struct receives the value
// ([Decode]), so that the two cannot differ. The host reads the user's HCL
// against the schema, fills in defaults, makes paths absolute, and redacts what
// is sensitive; a plugin only ever sees complete, typed values.
package schema

// Schema is the schema of one block.
type Schema struct {
	Version uint32
	Block   Block
}

// Block holds attributes and blocks.
type Block struct {
	Attributes  []Attribute
	Blocks      []NestedBlock
	Description string
	Deprecated  bool
}

// Attribute is one "name = value".
type Attribute struct {
	Name        string
	Type        string // HCL type expression: string, number, bool, list(string), map(string), object({...}); never any
	Description string
	Required    bool
	Sensitive   bool
	Deprecated  bool
	Default     string // JSON, filled in by the host; "" for none
	Path        bool   // names files: the host makes it absolute, and refuses a relative one over REST
}

// Nesting says how often a nested block may stand, and whether it has a label.
type Nesting int

// The nestings.
const (
	Single Nesting = iota + 1
	List
	Map // one label, its keys are unique
)

// NestedBlock is a block inside a block.
type NestedBlock struct {
	Name     string
	Nesting  Nesting
	Block    Block
	MinItems uint32
	MaxItems uint32 // 0: no limit
}
