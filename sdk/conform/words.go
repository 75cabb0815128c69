package conform

import (
	"regexp"
	"strings"
)

// The suite speaks of the fields of its Config, and of what stands for them in a
// file; here only the file matters.
var fields = []struct {
	field *regexp.Regexp
	file  string
}{
	{regexp.MustCompile(`\bgive [A-Z]\w*(?: and [A-Z]\w*)? \(conform\.hcl: ([^)]+)\)`), "give $1 in conform.hcl"},
	{regexp.MustCompile(`\bgive Platform\b`), "give config { } in conform.hcl"},
	{regexp.MustCompile(`\bgive Plugin\b`), "plugintest.Run in a Go test can"},
	{regexp.MustCompile(`\bplugintest\.Config\.Platform\b`), "config"},
}

// inFile says a message of the suite in the words of the file.
func inFile(message string) string {
	for _, one := range fields {
		message = one.field.ReplaceAllString(message, one.file)
	}
	for _, name := range specNames {
		message = strings.ReplaceAll(message, "Spec"+strings.ToUpper(name[:1])+name[1:], `spec "`+name+`"`)
	}
	return message
}
