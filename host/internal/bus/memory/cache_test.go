package memory_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apm-deploy/apm/host/internal/bus/memory"
)

func TestCacheKeepsWhatWasUsedLast(t *testing.T) {
	t.Parallel()
	c := memory.NewCache(3, time.Hour)
	for i := range 3 {
		c.Set(fmt.Sprint(i), []byte{byte(i)})
	}
	c.Get("0")
	c.Set("3", []byte{3})
	c.Set("2", []byte{22})
	want := map[string]string{"0": "\x00", "2": "\x16", "3": "\x03"}
	for i := range 4 {
		key := fmt.Sprint(i)
		value, ok := c.Get(key)
		if expected, kept := want[key]; ok != kept || string(value) != expected {
			t.Errorf("Get(%q) = %q, %v; want %q, %v", key, value, ok, expected, kept)
		}
	}
	c.Delete("0")
	c.Delete("unknown")
	if _, ok := c.Get("0"); ok {
		t.Error("a deleted value is still there")
	}
}

func TestCacheForgetsWhatIsOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := memory.NewCache(3, time.Minute)
		c.Set("key", []byte("value"))
		time.Sleep(time.Minute - time.Nanosecond) //nolint:forbidigo // the clock of synctest
		if _, ok := c.Get("key"); !ok {
			t.Error("forgotten too early")
		}
		time.Sleep(time.Nanosecond) //nolint:forbidigo // the clock of synctest
		if _, ok := c.Get("key"); ok {
			t.Error("kept too long")
		}
	})
}
