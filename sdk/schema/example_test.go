package schema_test

import (
	"fmt"
	"time"

	"github.com/apm-deploy/apm/sdk/schema"
)

// One struct is the schema of a block and receives its values.
func ExampleOf() {
	type listener struct {
		Name   string `apm:"name,label"`
		Listen string `apm:"listen,required" doc:"host:port"`
	}
	type spec struct {
		Command []string            `apm:"command,required" doc:"what to run"`
		Token   string              `apm:"token,sensitive"`
		Stop    time.Duration       `apm:"stop" default:"\"10s\""`
		Ports   map[string]listener `apm:"port,block"`
	}
	s := schema.MustOf(spec{})
	for _, a := range s.Block.Attributes {
		fmt.Println(a.Name, a.Type)
	}

	value := []byte(`{"command": ["./web"], "token": "hush", "port": {"http": {"listen": ":8080"}}}`)
	var got spec
	fmt.Println(schema.Decode(value, &got), got.Stop, got.Ports["http"].Name)
	fmt.Println(schema.Decode([]byte(`{"command": "./web"}`), &got))

	shown, err := s.Redact(value)
	fmt.Println(string(shown), err)
	// Output:
	// command list(string)
	// token string
	// stop string
	// [] 10s http
	// [command: expected a list, got a string]
	// {"command":["./web"],"port":{"http":{"listen":":8080"}},"token":"[redacted]"} <nil>
}
