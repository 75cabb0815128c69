package conform

import "regexp"

// The suite speaks of the fields of its Config; people know what stands in the
// file.
var fields = regexp.MustCompile(`\bplugintest\.Config\.Platform\b|\bSpec(V1|V2|Bad|Slow|Chatty|Failing)\b|\b(ChangeFiles|ChangeLive|give (Serves|Secrets|Plugin|Platform|OldHandle))\b`)

var words = map[string]string{
	"plugintest.Config.Platform": "config",
	"SpecV1":                     `spec "v1"`,
	"SpecV2":                     `spec "v2"`,
	"SpecBad":                    `spec "bad"`,
	"SpecSlow":                   `spec "slow"`,
	"SpecChatty":                 `spec "chatty"`,
	"SpecFailing":                `spec "failing"`,
	"ChangeFiles":                "change_files",
	"ChangeLive":                 "change_live",
	"give Serves":                "give serves",
	"give Secrets":               "give secrets",
	"give Platform":              "give config { }",
	"give Plugin":                "a Go test with plugintest.Run has it",
	"give OldHandle":             "a Go test with plugintest.Run can give it",
}

// inFile says a message of the suite in the words of the file.
func inFile(message string) string {
	return fields.ReplaceAllStringFunc(message, func(name string) string { return words[name] })
}
