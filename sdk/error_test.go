package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/apm-deploy/apm/sdk"
)

// What %w stands for is found within the plugin, and told once.
func TestErrorfKeepsItsCause(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  *sdk.Error
		want string
		is   []error
	}{
		"one":     {sdk.Errorf(sdk.NotFound, "", "read %q: %w", "f", fs.ErrNotExist), `read "f": file does not exist`, []error{fs.ErrNotExist}},
		"several": {sdk.Errorf(sdk.Internal, "", "%w, and %w", fs.ErrClosed, fs.ErrExist), "file already closed, and file already exists", []error{fs.ErrClosed, fs.ErrExist}},
		"none":    {sdk.Errorf(sdk.Internal, "", "%v", fs.ErrClosed), "file already closed", nil},
		"by hand": {&sdk.Error{Message: "read", Err: fs.ErrClosed}, "read: file already closed", []error{fs.ErrClosed}},
		"deep":    {sdk.Errorf(sdk.Internal, "", "a: %w", fmt.Errorf("b: %w", context.Canceled)), "a: b: context canceled", []error{context.Canceled}},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
		if tc.is == nil && tc.err.Err != nil {
			t.Errorf("%s: cause %v, want none", name, tc.err.Err)
		}
		for _, cause := range tc.is {
			if !errors.Is(tc.err, cause) {
				t.Errorf("%s: %v is not found in %v", name, cause, tc.err)
			}
		}
	}
	inner := sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "inner")
	if outer := sdk.Errorf(sdk.Aborted, sdk.ReasonConflict, "outer: %w", inner); sdk.CodeOf(outer) != sdk.Aborted || !errors.Is(outer, inner) {
		t.Errorf("an error around another of ours: %s, %v", sdk.CodeOf(outer), outer.Err)
	}
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	stamped := sdk.Stamp{Epoch: 7, ID: "op", RequestDigest: "d"}
	for name, tc := range map[string]struct {
		stamped   sdk.Stamp
		operation sdk.Operation
		known     bool
		reason    sdk.Reason
	}{
		"nothing is stamped":    {sdk.Stamp{}, sdk.Operation{ID: "op", RequestDigest: "d", Epoch: 1}, false, ""},
		"new":                   {stamped, sdk.Operation{ID: "other", RequestDigest: "d", Epoch: 7}, false, ""},
		"same":                  {stamped, sdk.Operation{ID: "op", RequestDigest: "d", Epoch: 7}, true, ""},
		"same, of a new owner":  {stamped, sdk.Operation{ID: "op", RequestDigest: "d", Epoch: 8}, true, ""},
		"mismatch":              {stamped, sdk.Operation{ID: "op", RequestDigest: "e", Epoch: 8}, true, sdk.ReasonOperationMismatch},
		"stale":                 {stamped, sdk.Operation{ID: "other", RequestDigest: "d", Epoch: 6}, false, sdk.ReasonStaleEpoch},
		"stale, though known":   {stamped, sdk.Operation{ID: "op", RequestDigest: "d", Epoch: 6}, false, sdk.ReasonStaleEpoch},
		"stale before mismatch": {stamped, sdk.Operation{ID: "op", RequestDigest: "e", Epoch: 6}, false, sdk.ReasonStaleEpoch},
	} {
		known, err := sdk.Admit(tc.stamped, tc.operation)
		if known != tc.known || sdk.ReasonOf(err) != tc.reason || (err != nil) != (tc.reason != "") {
			t.Errorf("%s: known %v, %v; want %v, %q", name, known, err, tc.known, tc.reason)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	operation := sdk.Operation{ID: "op", Epoch: 1}
	for want, err := range map[*sdk.Error]*sdk.Error{
		{Code: sdk.Aborted, Reason: sdk.ReasonStaleEpoch}:              sdk.StaleEpoch(operation, 2),
		{Code: sdk.AlreadyExists, Reason: sdk.ReasonOperationMismatch}: sdk.OperationMismatch(operation),
		{Code: sdk.FailedPrecondition, Reason: sdk.ReasonSnapshotStale}: sdk.SnapshotStale(
			"the files of %s are gone", "v1"),
		{Code: sdk.Aborted, Reason: sdk.ReasonStateChanged, Resource: "deployment/web", By: "kubectl"}: sdk.StateChanged(
			"deployment/web", "kubectl", "replicas is %d", 3),
		{Code: sdk.Aborted, Reason: sdk.ReasonStateChanged, Resource: "x", By: "unknown"}: sdk.StateChanged("x", "", "it is not there any more"),
	} {
		if err.Code != want.Code || err.Reason != want.Reason || err.Resource != want.Resource || err.By != want.By || err.Message == "" || err.Retryable {
			t.Errorf("%+v, want %+v", err, want)
		}
	}
}
