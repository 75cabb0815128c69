package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/apm-deploy/apm/sdk"
)

// Call is what was asked of the cluster.
type Call struct {
	Verb      string // get, list, watch, create, update, patch, delete
	Resource  string // secrets, deployments.apps, pods/log
	Namespace string // "" for none or all
	Name      string
}

// String is for sentences: `patch deployments.apps "api" in namespace "shop"`.
func (c Call) String() string {
	text := c.Verb + " " + c.Resource
	if c.Name != "" {
		text += ` "` + c.Name + `"`
	}
	if c.Namespace != "" {
		text += ` in namespace "` + c.Namespace + `"`
	}
	return text
}

// CallOf is a call about a resource as the clients name it.
func CallOf(verb string, resource schema.GroupVersionResource, namespace, name string) Call {
	return Call{Verb: verb, Resource: resource.GroupResource().String(), Namespace: namespace, Name: name}
}

// Answer makes an error of the contract of one of the clients, saying what was asked:
// a right that is missing is named with verb, resource and namespace, a cluster that does
// not answer is UNAVAILABLE, a conflict names who stands in the way in By. One that is of
// the contract already stays as it is, and so does the end of the caller's context.
func Answer(call Call, err error) error {
	var already *sdk.Error
	if err == nil || errors.As(err, &already) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := answer(call, err)
	e.Resource = call.Resource
	if call.Name != "" {
		e.Resource += " " + strings.TrimPrefix(call.Namespace+"/"+call.Name, "/")
	}
	return e
}

func answer(call Call, err error) *sdk.Error {
	var status apierrors.APIStatus
	switch {
	case meta.IsNoMatchError(err):
		return sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "%s: the cluster has no such kind: %w", call, err)
	case !errors.As(err, &status):
		return transport(call, err)
	case apierrors.IsForbidden(err) && quota(err):
		return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonQuota, "%s: %w", call, err)
	case apierrors.IsForbidden(err) && terminating(err):
		return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonConflict, "%s: the namespace is being deleted: %w", call, err)
	case apierrors.IsForbidden(err) && denied(err):
		return sdk.Errorf(sdk.PermissionDenied, sdk.ReasonAuth,
			"%s: the right is missing: grant verb %q on resource %q %s to the account that apm uses (%w)", call, call.Verb, call.Resource, where(call), err)
	case apierrors.IsForbidden(err):
		return sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "%s: an admission rule of the cluster refuses it: %w", call, err)
	case apierrors.IsUnauthorized(err):
		return sdk.Errorf(sdk.Unauthenticated, sdk.ReasonAuth,
			"%s: the cluster does not know the credentials, or they have expired: renew those of the kubeconfig (%w)", call, err)
	case apierrors.IsNotFound(err):
		return sdk.Errorf(sdk.NotFound, sdk.ReasonNotFound, "%s: %w", call, err)
	case apierrors.IsAlreadyExists(err):
		return sdk.Errorf(sdk.Aborted, sdk.ReasonConflict, "%s: %w", call, err)
	case apierrors.IsConflict(err):
		return conflict(call, err)
	case apierrors.IsResourceExpired(err), apierrors.IsGone(err):
		return sdk.Errorf(sdk.OutOfRange, sdk.ReasonResumeExpired, "%s: %w", call, err)
	case apierrors.IsTooManyRequests(err):
		e := sdk.Errorf(sdk.ResourceExhausted, sdk.ReasonRateLimited, "%s: the API server asks to wait: %w", call, err)
		e.RetryAfter = retryAfter(err)
		return e
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err), apierrors.IsMethodNotSupported(err),
		apierrors.IsNotAcceptable(err), apierrors.IsUnsupportedMediaType(err):
		return sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "%s: %w", call, err)
	case mistyped(err):
		return sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "%s: it does not fit its kind: %w", call, err)
	default: // timeouts, 5xx, what a proxy in between says
		e := sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "%s: the API server cannot answer: %w", call, err)
		e.RetryAfter = retryAfter(err)
		return e
	}
}

// mistyped says whether an object has fields that its kind has not, or of another type.
// Server-side apply answers that with 500 and no reason, so that only the text tells.
func mistyped(err error) bool {
	return strings.Contains(err.Error(), "failed to create typed patch object")
}

// transport is an error that no API server answered.
func transport(call Call, err error) *sdk.Error {
	var dns *net.DNSError
	var at *url.Error
	host := "the cluster"
	if errors.As(err, &at) {
		if u, parse := url.Parse(at.URL); parse == nil && u.Host != "" {
			host = u.Host
		}
	}
	switch {
	case certificate(err):
		return sdk.Errorf(sdk.FailedPrecondition, sdk.ReasonAuth, "%s: the certificate of %s is not to be trusted: %w", call, host, err)
	case errors.As(err, &dns):
		return sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "%s: the name of %s cannot be looked up: %w", call, host, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "%s: nothing listens at %s: %w", call, host, err)
	default:
		return sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "%s: %s does not answer: %w", call, host, err)
	}
}

// conflict is a precondition that did not hold, or fields that somebody else owns.
func conflict(call Call, err error) *sdk.Error {
	fields := ConflictsOf(err)
	if len(fields) == 0 {
		return sdk.Errorf(sdk.Aborted, sdk.ReasonConflict, "%s: it was changed meanwhile: %w", call, err)
	}
	var managers, said []string
	for _, f := range fields {
		if !slices.Contains(managers, f.Manager) {
			managers = append(managers, f.Manager)
		}
		said = append(said, f.Field+" by "+f.Manager)
	}
	e := sdk.Errorf(sdk.Aborted, sdk.ReasonConflict, "%s: somebody else owns what would be changed: %s", call, strings.Join(said, ", "))
	e.By, e.Err = strings.Join(managers, ", "), err
	return e
}

// Conflict is a field that another field manager owns.
type Conflict struct {
	Field   string // .spec.template.spec.containers[name="api"].image
	Manager string // kubectl-client-side-apply
}

// ConflictsOf reads the fields that stood in the way of an apply; nil if err is of
// something else.
func ConflictsOf(err error) []Conflict {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var all []Conflict
	for _, cause := range status.Status().Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		// conflict with "kubectl" with subresource "scale" using apps/v1 at 2026-…
		manager := cause.Message
		if parts := strings.SplitN(cause.Message, `"`, 3); len(parts) == 3 {
			manager = parts[1]
		}
		all = append(all, Conflict{Field: cause.Field, Manager: manager})
	}
	return all
}

// IsDown says whether the cluster could not be asked, or asks to wait: the same call
// may succeed later.
func IsDown(err error) bool {
	code := sdk.CodeOf(err)
	return code == sdk.Unavailable || code == sdk.ResourceExhausted
}

// IsGone says whether what was asked for is not there.
func IsGone(err error) bool { return sdk.CodeOf(err) == sdk.NotFound || apierrors.IsNotFound(err) }

// IsConflict says whether somebody else was there first, or owns what is to be changed.
func IsConflict(err error) bool {
	return sdk.ReasonOf(err) == sdk.ReasonConflict && sdk.CodeOf(err) == sdk.Aborted || apierrors.IsConflict(err)
}

// IsForbidden says whether a right is missing.
func IsForbidden(err error) bool { return sdk.CodeOf(err) == sdk.PermissionDenied }

// The API server answers 403 for four things, which only its words tell apart.
func quota(err error) bool { return strings.Contains(err.Error(), "exceeded quota") }

func terminating(err error) bool {
	return apierrors.HasStatusCause(err, "NamespaceTerminating")
}

func denied(err error) bool { return strings.Contains(err.Error(), "cannot ") }

func where(call Call) string {
	if call.Namespace == "" {
		return "in the whole cluster"
	}
	return `in namespace "` + call.Namespace + `"`
}

func retryAfter(err error) time.Duration {
	seconds, _ := apierrors.SuggestsClientDelay(err)
	return time.Duration(seconds) * time.Second
}

func certificate(err error) bool {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid)
}
