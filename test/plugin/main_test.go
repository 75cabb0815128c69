package plugin_test

import (
	"flag"
	"testing"
)

// TestMain lets more tests wait side by side than there are processors: they
// wait for programs most of their time.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	m.Run()
}
