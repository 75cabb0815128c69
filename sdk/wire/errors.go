package wire

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
)

// maxErrorText bounds what of an error's texts travels: they go in HTTP/2
// trailers, which are meant to be small.
const maxErrorText = 8 << 10

// codeTable is the one table between the contract's codes and gRPC's.
var codeTable = map[sdk.Code]codes.Code{
	sdk.InvalidArgument:    codes.InvalidArgument,
	sdk.Unauthenticated:    codes.Unauthenticated,
	sdk.PermissionDenied:   codes.PermissionDenied,
	sdk.NotFound:           codes.NotFound,
	sdk.AlreadyExists:      codes.AlreadyExists,
	sdk.FailedPrecondition: codes.FailedPrecondition,
	sdk.Aborted:            codes.Aborted,
	sdk.ResourceExhausted:  codes.ResourceExhausted,
	sdk.Unavailable:        codes.Unavailable,
	sdk.OutOfRange:         codes.OutOfRange,
	sdk.DeadlineExceeded:   codes.DeadlineExceeded,
	sdk.Unimplemented:      codes.Unimplemented,
	sdk.Internal:           codes.Internal,
	sdk.Unknown:            codes.Unknown,
}

var codeTableBack = func() map[codes.Code]sdk.Code {
	back := make(map[codes.Code]sdk.Code, len(codeTable))
	for ours, theirs := range codeTable {
		back[theirs] = ours
	}
	return back
}()

const reasonPrefix = "REASON_"

func reasonToProto(r sdk.Reason) pluginv1.ErrorDetail_Reason {
	return pluginv1.ErrorDetail_Reason(pluginv1.ErrorDetail_Reason_value[reasonPrefix+string(r)])
}

func reasonFromProto(r pluginv1.ErrorDetail_Reason) sdk.Reason {
	name, known := pluginv1.ErrorDetail_Reason_name[int32(r)]
	if !known || r == pluginv1.ErrorDetail_REASON_UNSPECIFIED {
		return sdk.ReasonUnspecified
	}
	return sdk.Reason(name[len(reasonPrefix):])
}

// statusOf turns the error of a platform into a gRPC status. Everything that
// the plugin itself has to say carries an ErrorDetail; the end of the caller's
// own context does not, because the caller knows better what became of it.
func statusOf(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var own *sdk.Error
	if !errors.As(err, &own) {
		if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
			return status.FromContextError(ended).Err()
		}
		own = &sdk.Error{Code: sdk.Unknown, Reason: sdk.ReasonPluginBug, Message: err.Error()}
	}
	code, known := codeTable[own.Code]
	if !known {
		code = codes.Unknown
	}
	detail := &pluginv1.ErrorDetail{
		Reason:    reasonToProto(own.Reason),
		Retryable: own.Retryable,
		Resource:  shorten(own.Resource, maxErrorText),
		By:        shorten(own.By, maxErrorText),
	}
	if own.RetryAfter > 0 {
		detail.RetryAfter = durationpb.New(own.RetryAfter)
	}
	left := maxErrorText
	for key, value := range own.Metadata {
		if left -= len(key) + len(value); left < 0 {
			break
		}
		if detail.Metadata == nil {
			detail.Metadata = make(map[string]string, len(own.Metadata))
		}
		detail.Metadata[key] = value
	}
	sanitize(detail.ProtoReflect())
	st := status.New(code, validText(shorten(own.Message, maxErrorText)))
	detailed, attachErr := st.WithDetails(detail)
	if attachErr != nil {
		return st.Err()
	}
	return detailed.Err()
}

// errorOf turns what a call returned into what the host decides by: an
// [*sdk.Error] when the plugin answered, the caller's own context error when
// ctx, the caller's context, has ended, and else an error that matches
// [sdk.ErrPluginGone]. ownDeadline says that the call had a deadline that the
// client set and not the caller: a plugin that lets it pass hangs.
func errorOf(ctx context.Context, method string, err error, ownDeadline bool) error {
	if err == nil {
		return nil
	}
	var already *sdk.Error
	if errors.As(err, &already) {
		return err
	}
	st, ok := status.FromError(err)
	if !ok {
		st = status.FromContextError(err)
	}
	if answered := answerOf(st); answered != nil {
		return answered
	}
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("call %s: %w", method, ended)
	}
	switch st.Code() {
	case codes.DeadlineExceeded:
		if ownDeadline {
			return fmt.Errorf("call %s: %w: no answer in time: %w", method, sdk.ErrPluginGone, context.DeadlineExceeded)
		}
		return fmt.Errorf("call %s: %w", method, context.DeadlineExceeded)
	case codes.Unimplemented:
		// The one answer that generated servers of every language give by
		// themselves: the plugin is there and does not have the call.
		return &sdk.Error{Code: sdk.Unimplemented, Message: fmt.Sprintf("the plugin does not implement %s", method)}
	case codes.ResourceExhausted:
		// Without detail it comes from gRPC itself: a message over the limit.
		return &sdk.Error{
			Code: sdk.Internal, Reason: sdk.ReasonPluginBug,
			Message: fmt.Sprintf("message of %s over the limit of %d bytes: %s", method, sdk.MaxMessage, st.Message()),
		}
	default:
		return fmt.Errorf("call %s: %w: %s: %s", method, sdk.ErrPluginGone, st.Code(), st.Message())
	}
}

// answerOf returns the plugin's own error, or nil when it did not answer.
func answerOf(st *status.Status) *sdk.Error {
	for _, any := range st.Details() {
		detail, ok := any.(*pluginv1.ErrorDetail)
		if !ok {
			continue
		}
		code, known := codeTableBack[st.Code()]
		if !known {
			code = sdk.Unknown
		}
		return &sdk.Error{
			Code:       code,
			Reason:     reasonFromProto(detail.GetReason()),
			Message:    st.Message(),
			Retryable:  detail.GetRetryable(),
			RetryAfter: detail.GetRetryAfter().AsDuration(),
			Resource:   detail.GetResource(),
			By:         detail.GetBy(),
			Metadata:   detail.GetMetadata(),
		}
	}
	return nil
}
