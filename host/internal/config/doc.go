// Package config reads what people write: config.hcl, application files, and
// the configuration that comes with a request. It turns them into complete,
// typed values, and every mistake into a problem that names file, line and
// column (or the field of the request), shows the line, and says what to do.
//
// It knows a plugin only by the schema of its configuration and its spec. It
// must never start anything, store anything, or show the value of env().
package config
