package server

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	v1 "github.com/apm-deploy/apm/api/v1"
)

// advice is what to do about what huma says, in its own words, of a value. The
// first message that matches is taken.
var advice = []struct {
	message *regexp.Regexp
	remedy  string
}{
	{said(validation.MsgExpectedString), "put it in quotes"},
	{said(validation.MsgExpectedBoolean), "write true or false"},
	{said(validation.MsgExpectedInteger), "write a whole number"},
	{said(validation.MsgExpectedNumber), "write a number"},
	{said(validation.MsgExpectedObject), "write a JSON object: {…}"},
	{said(validation.MsgExpectedArray), "write a JSON array: […]"},
	{said(validation.MsgExpectedOneOf), "write one of them"},
	{said(validation.MsgExpectedMinimumNumber), "write a larger one"},
	{said(validation.MsgExpectedMaximumNumber), "write a smaller one"},
	{said(validation.MsgExpectedMinLength), "write a longer one"},
	{said(validation.MsgExpectedMaxLength), "shorten it"},
	{said(validation.MsgExpectedMatchPattern), "write visible characters of ASCII, without spaces"}, // all patterns of ours
	{said(validation.MsgExpectedRFC3339DateTime), "write a time as in 2026-11-24T09:15:24Z"},
	{regexp.MustCompile(`^invalid (integer|float|boolean|value|date/time)`), "write one that can be read, or leave it out"},
}

// said is a message of huma's as a pattern.
func said(message string) *regexp.Regexp {
	pattern := regexp.QuoteMeta(message)
	for _, verb := range []string{"%v", "%d", "%s"} {
		pattern = strings.ReplaceAll(pattern, verb, "(.*)")
	}
	return regexp.MustCompile("^" + pattern + "$")
}

// required is what huma says of a member that is missing.
var required = said(validation.MsgExpectedRequiredProperty)

// mend puts what huma found into our words: where exactly, and what to do.
func mend(op *huma.Operation, item *v1.ProblemItem) {
	if m := required.FindStringSubmatch(item.Message); m != nil {
		item.Location, item.Message, item.Remedy = item.Location+"."+m[1], "missing", "add it"
		return
	}
	if item.Remedy = nameRemedy(op, *item); item.Remedy != "" {
		return
	}
	for _, p := range advice {
		if p.message.MatchString(item.Message) {
			item.Remedy = p.remedy
			return
		}
	}
}

// noBody is the answer to a request that lacks the body it needs.
func noBody() *problem {
	return newProblem(http.StatusBadRequest, "the body is missing", "",
		v1.ProblemItem{Location: "body", Message: "missing", Remedy: "send a JSON object; GET /docs shows its members"})
}
