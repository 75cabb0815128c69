package health

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// expectation is what an HTTP answer must be like.
type expectation struct {
	status []int
	body   *regexp.Regexp // nil: not looked at
	header map[string]*regexp.Regexp
}

func newExpectation(check deployment.HTTPCheck, addresses map[string]string) (expectation, error) {
	e := expectation{status: check.Status, header: map[string]*regexp.Regexp{}}
	if len(e.status) == 0 {
		e.status = []int{http.StatusOK}
	}
	if check.Body != "" {
		var err error
		if e.body, err = expression(check.Body, addresses); err != nil {
			return e, fmt.Errorf("body: %w", err)
		}
	}
	for name, text := range check.Header {
		compiled, err := expression(text, addresses)
		if err != nil {
			return e, fmt.Errorf("header.%s: %w", name, err)
		}
		e.header[name] = compiled
	}
	return e, nil
}

func expression(text string, addresses map[string]string) (*regexp.Regexp, error) {
	text, err := fill(text, addresses, regexp.QuoteMeta)
	if err != nil {
		return nil, err
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a regular expression of RE2: %w", text, err)
	}
	return compiled, nil
}

// judgeHead looks at status and headers. The values of headers are not shown:
// they may be cookies.
func (e expectation) judgeHead(response *http.Response) (answer, bool) {
	if !slices.Contains(e.status, response.StatusCode) {
		return unhealthy("status %d %s, expected %s%s", response.StatusCode, http.StatusText(response.StatusCode),
			statuses(e.status), redirection(response)), false
	}
	for _, name := range slices.Sorted(maps.Keys(e.header)) {
		values := response.Header.Values(name)
		switch {
		case len(values) == 0:
			return unhealthy("header %s is missing", name), false
		case !slices.ContainsFunc(values, e.header[name].MatchString):
			return unhealthy("header %s does not match %q", name, e.header[name]), false
		}
	}
	return answer{}, true
}

// redirection says where an answer that was not expected wanted to send us.
func redirection(response *http.Response) string {
	location := response.Header.Get("Location")
	if location == "" || response.StatusCode < 300 || response.StatusCode > 399 {
		return ""
	}
	target, err := url.Parse(location)
	if err != nil {
		return "; redirects are not followed"
	}
	return fmt.Sprintf("; redirects are not followed (to %s)", redact(target))
}
