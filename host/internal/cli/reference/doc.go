// Package reference writes the documentation of a plugin from its schema: every
// key with its type, default and meaning, and an example. It must know nothing
// that the schema does not say, so that what it writes holds for a plugin of any
// author.
package reference
