package schema_test

import (
	"fmt"
	"testing"

	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

type (
	unchecked struct {
		URL string `apm:"url,required"`
	}
	byValue struct {
		Keep int `apm:"keep" default:"5"`
	}
	byPointer struct {
		Port int `apm:"port,required"`
	}
)

func (v byValue) Check() (ds diag.Diagnostics) {
	if v.Keep < 1 {
		ds.Errorf([]string{"keep"}, "keep is %d", v.Keep)
	}
	return ds
}

func (v *byPointer) Check() (ds diag.Diagnostics) {
	if v.Port == 1 {
		ds.Warnf([]string{"port"}, "port is %d", v.Port)
	}
	return ds
}

func TestRead(t *testing.T) {
	t.Parallel()
	plain, ds := schema.Read[unchecked]([]byte(`{"url": "x"}`))
	if plain.URL != "x" || len(ds) > 0 {
		t.Errorf("%+v %v", plain, ds)
	}
	value, ds := schema.Read[byValue](nil)
	if value.Keep != 5 || len(ds) > 0 {
		t.Errorf("%+v %v", value, ds)
	}
	for given, want := range map[string]string{
		`{"keep": 0}`:            "[keep: keep is 0]",
		`{"keep": "x"}`:          "[keep: expected a number, got a string]", // and Check was not asked
		`{"keep": 0, "other":1}`: `[other: unknown name "other": known are keep]`,
	} {
		if _, ds := schema.Read[byValue]([]byte(given)); fmt.Sprint(ds) != want {
			t.Errorf("%s: %v, want %s", given, ds, want)
		}
	}
	if _, ds := schema.Read[byPointer]([]byte(`{"port": 1}`)); len(ds) != 1 || ds[0].Severity != diag.Warning {
		t.Errorf("by pointer: %v", ds)
	}
}

// Either of the two may be absent, and what is wrong with both is told.
func TestCheck(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		config, spec string
		want         string
	}{
		"neither":   {"", "", "[]"},
		"config":    {`{"keep": 0}`, "", "[keep: keep is 0]"},
		"spec":      {"", "{}", `[port: "port" is required]`},
		"both":      {`{"keep": 0}`, "{}", `[keep: keep is 0 port: "port" is required]`},
		"both good": {"{}", `{"port": 2}`, "[]"},
	} {
		if got := fmt.Sprint(schema.Check[byValue, byPointer]([]byte(tc.config), []byte(tc.spec))); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
