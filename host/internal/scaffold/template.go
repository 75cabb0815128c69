package scaffold

import (
	_ "embed"
	"fmt"
	"go/format"
	"path"
	"regexp"
	"strings"

	"golang.org/x/tools/txtar"
)

// packed is examples/plugin-symlink, as it stands there.
//
//go:embed template.txtar
var packed []byte

// What the example is called, and where its module has the others.
const (
	exampleName   = "symlink"
	exampleModule = "example.com/apm-plugin-" + exampleName
)

// quoted is the plugin's name as HCL has it, constant as Go has it.
var (
	quoted   = regexp.MustCompile(`"` + exampleName + `"`)
	constant = regexp.MustCompile(`(?m)^(\s+Name += )"` + exampleName + `"$`)
)

// render returns the files of the module of a plugin by path, without api and sdk.
// The word symlink stands for what the example swaps, but behind "apm-plugin-", in
// the Makefile's NAME, and where HCL or the Go constant has the plugin's name.
func render(name, module string) (map[string][]byte, error) {
	words := strings.NewReplacer(
		exampleModule, module,
		"apm-plugin-"+exampleName, "apm-plugin-"+name,
		"NAME := "+exampleName, "NAME := "+name,
	)
	files := map[string][]byte{}
	for _, file := range txtar.Parse(packed).Files {
		text := words.Replace(string(file.Data))
		switch path.Ext(file.Name) {
		case ".hcl", ".md":
			text = quoted.ReplaceAllString(text, `"`+name+`"`)
		case ".mod":
			text = strings.ReplaceAll(text, "=> ../../", "=> ./"+modulesDir+"/")
		case ".go":
			text = constant.ReplaceAllString(text, `${1}"`+name+`"`)
			// Another module path may come elsewhere in the order of imports.
			formatted, err := format.Source([]byte(text))
			if err != nil {
				return nil, fmt.Errorf("format %s: %w", file.Name, err)
			}
			text = string(formatted)
		}
		files[file.Name] = []byte(text)
	}
	return files, nil
}
