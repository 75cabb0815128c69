package fake

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// checker finds what is wrong with the description of a fault.
type checker struct {
	fault Fault
	path  []string
	ds    diag.Diagnostics
}

// checkFaults returns what is wrong with faults, each mistake with its path from
// the platform block on.
func checkFaults(faults map[string]Fault) diag.Diagnostics {
	var ds diag.Diagnostics
	for _, label := range sortedKeys(faults) {
		fault := faults[label]
		fault.Label = label
		c := &checker{fault: fault, path: []string{"fault", label}}
		c.check()
		ds = append(ds, c.ds...)
	}
	return ds
}

func (c *checker) errorf(attribute, format string, args ...any) {
	path := slices.Clone(c.path)
	if attribute != "" {
		path = append(path, attribute)
	}
	c.ds.Errorf(path, format, args...)
}

func (c *checker) check() {
	rules, known := kinds[c.fault.kind()]
	if !known {
		at := "kind"
		if c.fault.Kind == "" {
			at = ""
		}
		c.errorf(at, "there is no fault %q: use one of %s, as the label or as kind", c.fault.kind(), strings.Join(sortedKeys(kinds), ", "))
		return
	}
	given := c.given()
	for _, name := range sortedKeys(given) {
		if name != "kind" && !slices.Contains(rules.uses, name) {
			c.errorf(name, "the fault %q has no %q: it has %s", c.fault.kind(), name, strings.Join(slices.Sorted(slices.Values(rules.uses)), ", "))
		}
	}
	for _, name := range rules.needs {
		if !given[name] {
			c.errorf("", "the fault %q needs %q", c.fault.kind(), name)
		}
	}
	c.numbers()
	c.words(rules)
	if given["call"] || rules.fallback != "" {
		c.called(rules, given)
	}
	if c.fault.kind() == kindFlood {
		c.flood(given)
	}
}

// given returns the attributes that the block has.
func (c *checker) given() map[string]bool {
	given := map[string]bool{}
	value := reflect.ValueOf(c.fault)
	for i := range value.NumField() {
		name, option, _ := strings.Cut(value.Type().Field(i).Tag.Get("apm"), ",")
		if option != "label" && !value.Field(i).IsZero() {
			given[name] = true
		}
	}
	return given
}

func (c *checker) numbers() {
	f := c.fault
	for name, n := range map[string]int64{
		"after_events": int64(f.AfterEvents), "after": int64(f.After), "times": int64(f.Times), "delay": int64(f.Delay),
		"retry_after": int64(f.RetryAfter), "rate": int64(f.Rate), "for": int64(f.For), "resources": int64(f.Resources), "bytes": int64(f.Bytes),
	} {
		if n < 0 {
			c.errorf(name, "%s is below 0", name)
		}
	}
	if f.ExitCode != nil && (*f.ExitCode < 0 || *f.ExitCode > 255) {
		c.errorf("exit_code", "exit_code is %d: give 0 to 255", *f.ExitCode)
	}
}

func (c *checker) words(rules kindRules) {
	f := c.fault
	for _, one := range []struct {
		name, value string
		allowed     []string
	}{
		{"at", f.At, []string{"before", "after"}},
		{"operation", f.Operation, []string{"deploy", "rollback"}},
		{"what", f.What, rules.what},
		{"code", f.Code, allCodes},
		{"reason", f.Reason, allReasons},
		{"rule", f.Rule, sortedKeys(breakable)},
	} {
		if one.value != "" && len(one.allowed) > 0 && !slices.Contains(one.allowed, one.value) {
			c.errorf(one.name, "%s is %q: use one of %s", one.name, one.value, strings.Join(one.allowed, ", "))
		}
	}
}

// called checks what depends on the call.
func (c *checker) called(rules kindRules, given map[string]bool) {
	call, allowed := c.fault.call(), rules.calls
	if allowed == nil {
		allowed = slices.DeleteFunc(slices.Clone(everywhere), func(name string) bool { return name == callStart })
	}
	if !slices.Contains(allowed, call) {
		c.errorf("call", "call is %q: for the fault %q use one of %s", call, c.fault.kind(), strings.Join(allowed, ", "))
		return
	}
	if call == callStart && given["at"] {
		c.errorf("at", "there is no before and after of the start: leave it out")
	}
	if given["after_events"] && call != callWatch && call != callWatchTarget {
		c.errorf("after_events", "only the calls watch and watch_target send events, not %s", call)
	}
	if calls[call] {
		return
	}
	for _, name := range about {
		if given[name] {
			c.errorf(name, "the call %s is about no component: leave %s out", call, name)
		}
	}
}

// flood checks that a flood has an end.
func (c *checker) flood(given map[string]bool) {
	switch c.fault.What {
	case floodStderr:
		if !given["bytes"] {
			c.errorf("", "a flood of standard error needs bytes: how many")
		}
	case floodEvents, floodLines, floodLog:
		for _, name := range []string{"rate", "for"} {
			if !given[name] {
				c.errorf("", "a flood of %s needs rate and for: how many a second, and how long", c.fault.What)
				break
			}
		}
		if c.fault.What != floodLog && c.fault.call() == "configure" {
			c.errorf("call", "there are no %s in configure: use %s or %s", c.fault.What, callWatch, callWatchTarget)
		}
	}
}

// allCodes and allReasons of the contract.
var (
	allCodes = texts(
		sdk.InvalidArgument, sdk.Unauthenticated, sdk.PermissionDenied, sdk.NotFound, sdk.AlreadyExists, sdk.FailedPrecondition, sdk.Aborted,
		sdk.ResourceExhausted, sdk.Unavailable, sdk.OutOfRange, sdk.DeadlineExceeded, sdk.Unimplemented, sdk.Internal, sdk.Unknown,
	)
	allReasons = texts(
		sdk.ReasonInvalidSpec, sdk.ReasonAuth, sdk.ReasonQuota, sdk.ReasonRateLimited, sdk.ReasonPlatformUnavailable, sdk.ReasonConflict,
		sdk.ReasonNotFound, sdk.ReasonOperationMismatch, sdk.ReasonStaleEpoch, sdk.ReasonStateChanged, sdk.ReasonSnapshotStale,
		sdk.ReasonResumeExpired, sdk.ReasonNotConfigured, sdk.ReasonPluginBug,
	)
)

func texts[S ~string](list ...S) []string {
	out := make([]string, len(list))
	for i, one := range list {
		out[i] = string(one)
	}
	return out
}
