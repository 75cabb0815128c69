package schema

// Sensitive returns the paths of what the schema calls sensitive, with * where a
// label or an index stands: "env", "port.*.token".
func (s Schema) Sensitive() []string { return sensitiveIn("", &s.Block) }

func sensitiveIn(prefix string, b *Block) []string {
	var paths []string
	for _, a := range b.Attributes {
		if a.Sensitive {
			paths = append(paths, prefix+a.Name)
		}
	}
	for i := range b.Blocks {
		inner := prefix + b.Blocks[i].Name + "."
		if b.Blocks[i].Nesting != Single {
			inner += "*."
		}
		paths = append(paths, sensitiveIn(inner, &b.Blocks[i].Block)...)
	}
	return paths
}
