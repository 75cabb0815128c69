package platform

import (
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// zeros is a source that has as many bytes as are asked for, at once.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		n, err := io.CopyBuffer(io.Discard, io.LimitReader(&pace{source: zeros{}}, 3*maxPace), make([]byte, 32<<10))
		if err != nil || n != 3*maxPace {
			t.Fatalf("read %d bytes, %v", n, err)
		}
		if took := time.Since(began); took < 2900*time.Millisecond || took > 3100*time.Millisecond {
			t.Errorf("three seconds' worth took %v", took)
		}
	})
}

// Who writes little is never waited for.
func TestPaceOfFewLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pace{source: zeros{}}
		began := time.Now()
		for range 100 {
			if _, err := p.Read(make([]byte, 4<<10)); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("100 lines took %v", took)
		}
	})
}
