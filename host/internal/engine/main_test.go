package engine_test

import (
	"testing"

	"go.uber.org/goleak"
)

// An engine that was stopped leaves nothing behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
