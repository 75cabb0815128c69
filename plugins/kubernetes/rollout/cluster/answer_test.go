package cluster_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/sdk"
)

var deployments = schema.GroupResource{Group: "apps", Resource: "deployments"}

func TestAnswer(t *testing.T) {
	t.Parallel()
	at := func(err error) error { return &url.Error{Op: "Get", URL: "https://10.0.0.1:6443/apis", Err: err} }
	conflict := apierrors.NewApplyConflict([]metav1.StatusCause{
		{Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.replicas", Message: `conflict with "kubectl" with subresource "scale" using apps/v1`},
		{Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.paused", Message: `conflict with "kubectl-edit" using apps/v1`},
	}, "2 conflicts")
	busy := apierrors.NewTooManyRequests("slow down", 7)
	for name, tc := range map[string]struct {
		err    error
		code   sdk.Code
		reason sdk.Reason
		says   string
	}{
		"right": {
			apierrors.NewForbidden(deployments, "api", errors.New(`User "x" cannot patch resource "deployments"`)), sdk.PermissionDenied, sdk.ReasonAuth,
			`grant verb "patch" on resource "deployments.apps" in namespace "shop"`,
		},
		"quota":         {apierrors.NewForbidden(deployments, "api", errors.New("exceeded quota: q")), sdk.FailedPrecondition, sdk.ReasonQuota, "exceeded quota"},
		"admission":     {apierrors.NewForbidden(deployments, "api", errors.New("violates PodSecurity")), sdk.InvalidArgument, sdk.ReasonInvalidSpec, "admission rule"},
		"unauthorized":  {apierrors.NewUnauthorized("no"), sdk.Unauthenticated, sdk.ReasonAuth, "renew those of the kubeconfig"},
		"not found":     {apierrors.NewNotFound(deployments, "api"), sdk.NotFound, sdk.ReasonNotFound, `"api" not found`},
		"exists":        {apierrors.NewAlreadyExists(deployments, "api"), sdk.Aborted, sdk.ReasonConflict, "already exists"},
		"changed":       {apierrors.NewConflict(deployments, "api", errors.New("x")), sdk.Aborted, sdk.ReasonConflict, "changed meanwhile"},
		"managers":      {conflict, sdk.Aborted, sdk.ReasonConflict, ".spec.replicas by kubectl, .spec.paused by kubectl-edit"},
		"invalid":       {apierrors.NewInvalid(schema.GroupKind{Group: "apps", Kind: "Deployment"}, "api", nil), sdk.InvalidArgument, sdk.ReasonInvalidSpec, "api"},
		"too large":     {apierrors.NewRequestEntityTooLargeError("limit is 3145728"), sdk.InvalidArgument, sdk.ReasonInvalidSpec, "limit"},
		"expired watch": {apierrors.NewResourceExpired("too old"), sdk.OutOfRange, sdk.ReasonResumeExpired, "too old"},
		"busy":          {busy, sdk.ResourceExhausted, sdk.ReasonRateLimited, "asks to wait"},
		"timeout":       {apierrors.NewServerTimeout(deployments, "patch", 3), sdk.Unavailable, sdk.ReasonPlatformUnavailable, "cannot answer"},
		"internal":      {apierrors.NewInternalError(errors.New("etcd")), sdk.Unavailable, sdk.ReasonPlatformUnavailable, "etcd"},
		"proxy":         {apierrors.NewGenericServerResponse(http.StatusBadGateway, "get", deployments, "", "<html>", 0, true), sdk.Unavailable, sdk.ReasonPlatformUnavailable, "cannot answer"},
		"no kind":       {&meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "a", Kind: "B"}}, sdk.NotFound, sdk.ReasonNotFound, "no such kind"},
		"refused":       {at(syscall.ECONNREFUSED), sdk.Unavailable, sdk.ReasonPlatformUnavailable, "nothing listens at 10.0.0.1:6443"},
		"name":          {at(&net.DNSError{Err: "no such host", Name: "k8s"}), sdk.Unavailable, sdk.ReasonPlatformUnavailable, "cannot be looked up"},
		"certificate":   {at(x509.UnknownAuthorityError{}), sdk.FailedPrecondition, sdk.ReasonAuth, "not to be trusted"},
		"cut":           {at(syscall.ECONNRESET), sdk.Unavailable, sdk.ReasonPlatformUnavailable, "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := cluster.Answer(cluster.Call{Verb: "patch", Resource: "deployments.apps", Namespace: "shop", Name: "api"}, fmt.Errorf("wrapped: %w", tc.err))
			var e *sdk.Error
			if !errors.As(err, &e) || e.Code != tc.code || e.Reason != tc.reason || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("got %s %s: %v", sdk.CodeOf(err), sdk.ReasonOf(err), err)
			}
			if e.Resource != "deployments.apps shop/api" || !strings.HasPrefix(e.Message, `patch deployments.apps "api" in namespace "shop": `) {
				t.Errorf("resource %q, message %q", e.Resource, e.Message)
			}
			if name == "managers" && e.By != "kubectl, kubectl-edit" {
				t.Errorf("by %q", e.By)
			}
			if name == "busy" && e.RetryAfter != 7*time.Second {
				t.Errorf("retry after %s", e.RetryAfter)
			}
			if cluster.IsDown(err) != (tc.code == sdk.Unavailable || tc.code == sdk.ResourceExhausted) || cluster.IsGone(err) != (tc.code == sdk.NotFound) ||
				cluster.IsConflict(err) != (tc.code == sdk.Aborted) || cluster.IsForbidden(err) != (tc.code == sdk.PermissionDenied) {
				t.Errorf("what it is said to be: %v", err)
			}
		})
	}
	own := sdk.StaleEpoch(sdk.Operation{}, 3)
	for _, err := range []error{nil, own, context.Canceled, fmt.Errorf("x: %w", context.DeadlineExceeded)} {
		if got := cluster.Answer(cluster.Call{}, err); !errors.Is(got, err) || err != nil && got.Error() != err.Error() {
			t.Errorf("%v became %v", err, got)
		}
	}
}
