package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	v1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// problemType is the media type of every error.
const problemType = "application/problem+json"

// problem is an answer that says what went wrong. It is an error, so that
// handlers return it, and marshals as v1.Problem.
type problem struct {
	v1.Problem
	cause      error         // for the log only
	retryAfter time.Duration // 0: not told
}

// Error returns the detail.
func (p *problem) Error() string { return p.Detail }

// Unwrap returns the cause.
func (p *problem) Unwrap() error { return p.cause }

// GetStatus returns the HTTP status.
func (p *problem) GetStatus() int { return p.Status }

// GetHeaders returns the headers that go with the problem.
func (p *problem) GetHeaders() http.Header {
	headers := http.Header{}
	if p.retryAfter > 0 {
		// Whole seconds, and not before the time.
		headers.Set(fiber.HeaderRetryAfter, strconv.Itoa(int((p.retryAfter+time.Second-1)/time.Second)))
	}
	if p.Status == http.StatusUnauthorized {
		headers.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="apm"`)
	}
	return headers
}

// storeRetry is when a store that was away may be back.
const storeRetry = 2 * time.Second

// ContentType makes application/problem+json of application/json.
func (p *problem) ContentType(string) string { return problemType }

// codes is the one table from the class of an error to HTTP.
var codes = map[deployment.ErrorCode]int{
	deployment.Invalid:      http.StatusUnprocessableEntity,
	deployment.NotFound:     http.StatusNotFound,
	deployment.Conflict:     http.StatusConflict,
	deployment.Forbidden:    http.StatusForbidden,
	deployment.Unauthorized: http.StatusUnauthorized,
	deployment.Unavailable:  http.StatusServiceUnavailable,
	deployment.OutOfDate:    http.StatusConflict,
	deployment.Internal:     http.StatusInternalServerError,
}

// codeOf is the class that goes with an HTTP status.
func codeOf(status int) deployment.ErrorCode {
	switch {
	case status == http.StatusUnauthorized:
		return deployment.Unauthorized
	case status == http.StatusForbidden:
		return deployment.Forbidden
	case status == http.StatusNotFound:
		return deployment.NotFound
	case status == http.StatusConflict:
		return deployment.Conflict
	case status == http.StatusServiceUnavailable:
		return deployment.Unavailable
	case status < http.StatusInternalServerError:
		return deployment.Invalid
	default:
		return deployment.Internal
	}
}

// newProblem returns a problem of an HTTP status.
func newProblem(status int, detail, remedy string, items ...v1.ProblemItem) *problem {
	return &problem{Problem: v1.Problem{
		Title: http.StatusText(status), Status: status, Detail: detail,
		Code: string(codeOf(status)), Remedy: remedy, Errors: items,
	}}
}

// problemOf translates an error. What is not meant for users becomes "internal
// error", with the cause kept for the log.
func problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	var e *deployment.Error
	if errors.As(err, &e) {
		return problemOfDomain(e)
	}
	var busy *deployment.BusyError
	var framework *fiber.Error
	switch {
	case errors.As(err, &busy):
		p = newProblem(http.StatusConflict, "the target is busy: deployment "+busy.Holder+" runs", "apm deploy watch "+busy.Holder)
		p.Holder = busy.Holder
	case errors.Is(err, deployment.ErrNotFound):
		p = newProblem(http.StatusNotFound, "there is no such thing", "")
	case errors.Is(err, deployment.ErrUnavailable):
		p = newProblem(http.StatusServiceUnavailable, "the store cannot be reached or written", "nothing accepted is lost; ask again, and see GET /healthz")
		p.retryAfter = storeRetry
	case errors.Is(err, deployment.ErrKeyReused):
		p = newProblem(http.StatusUnprocessableEntity, "the idempotency key was used with another request", "take a new key for a new request",
			v1.ProblemItem{Location: "header.Idempotency-Key", Message: "was used with another request"})
	case errors.As(err, &framework):
		p = problemOfFramework(framework)
	default:
		p = newProblem(http.StatusInternalServerError, "internal error", "the host's log has the cause")
	}
	p.cause = err
	return p
}

// problemOfDomain translates an error that the domain means for users.
func problemOfDomain(e *deployment.Error) *problem {
	status, known := codes[e.Code]
	if !known {
		status = http.StatusInternalServerError
	}
	p := newProblem(status, e.Message, e.Remedy)
	p.Code, p.Holder, p.cause, p.retryAfter = string(e.Code), e.Holder, e, e.RetryAfter
	if errors.Is(e, deployment.ErrUnavailable) {
		p.retryAfter = storeRetry
	}
	if e.Code == deployment.OutOfDate {
		p.Title = "Plan Out Of Date"
	}
	for _, item := range e.Problems {
		if !item.Warning {
			p.Errors = append(p.Errors, itemOf(item))
		}
	}
	return p
}

// itemOf translates one thing that is wrong with an input. Fields of a request
// are located in its body; those of a file stay as they are.
func itemOf(p deployment.Problem) v1.ProblemItem {
	item := v1.ProblemItem{
		Location: p.Field, Message: p.Message, Remedy: p.Remedy,
		File: p.File, Line: p.Line, Column: p.Column, Snippet: p.Snippet,
	}
	if p.File == "" && p.Field != "" && !located(p.Field) {
		item.Location = "body." + p.Field
	}
	return item
}

// located says whether a field already says where it stands.
func located(field string) bool {
	where, _, _ := strings.Cut(field, ".")
	switch where {
	case "body", "query", "path", "header", "component": // the last: of an application file, or of what is stored
		return true
	default:
		return false
	}
}

// problemOfFramework translates what Fiber and fasthttp refuse by themselves.
// None of it is the host's fault, whatever status they have for it.
func problemOfFramework(e *fiber.Error) *problem {
	switch e.Code {
	case http.StatusNotFound:
		return newProblem(e.Code, "there is nothing at this path", "GET /docs lists what there is")
	case http.StatusMethodNotAllowed:
		return newProblem(e.Code, "the path does not know this method", "GET /docs lists what there is")
	case http.StatusRequestEntityTooLarge:
		return newProblem(e.Code, "the body is larger than 4 MiB", "send less")
	case http.StatusRequestHeaderFieldsTooLarge:
		return newProblem(e.Code, "the request line and headers are larger than 16 KiB", "send less")
	case http.StatusRequestTimeout:
		return newProblem(e.Code, "the request did not arrive in time", "send it again")
	case http.StatusUpgradeRequired:
		return newProblem(e.Code, "this path speaks WebSocket only", "connect with a WebSocket client, or GET /api/v1/deployments/{id}/events")
	case http.StatusServiceUnavailable:
		p := newProblem(e.Code, e.Message, "ask again in a moment")
		p.retryAfter = storeRetry
		return p
	default:
		return newProblem(http.StatusBadRequest, "the request cannot be read", "send a whole HTTP/1.1 request; TLS is not spoken here")
	}
}

// errorOf is an error handler's last word: err as a problem on c.
func writeProblem(c *fiber.Ctx, err error) error {
	p := problemOf(err)
	body, err := json.Marshal(&p.Problem)
	if err != nil {
		return err
	}
	for name, values := range p.GetHeaders() {
		c.Set(name, values[0])
	}
	c.Set(fiber.HeaderContentType, problemType)
	return c.Status(p.Status).Send(body)
}

// hookHuma makes huma speak our problems. Its hooks are variables of the
// package, so that they are set once for the process.
var hookHuma = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true
	huma.DefaultArrayNullable = false // an empty list is [], never null
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return problemOfHuma(nil, status, message, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		return problemOfHuma(ctx, status, message, errs)
	}
})
