package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

const (
	bodyLimit   = 64 << 10 // bytes of the body that the expression sees
	headerLimit = 1 << 20
	userAgent   = "apm-health-check"
)

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// askHTTP asks by HTTP and judges the answer.
func (c *Checker) askHTTP(ctx context.Context, check deployment.HTTPCheck, addresses map[string]string) answer {
	expected, err := newExpectation(check, addresses)
	if err != nil {
		return unknown("%v", err)
	}
	var stage stage
	request, err := newRequest(stage.follow(ctx), check, addresses)
	if err != nil {
		return unknown("%v", err)
	}
	subject := request.Method + " " + redact(request.URL)

	transport := c.transport()
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return failed(ctx, err, &stage).about(subject)
	}
	// The connection is not used again, so that nothing depends on its end.
	defer func() { _ = response.Body.Close() }()

	if answered, ok := expected.judgeHead(response); !ok {
		return answered.about(subject)
	}
	if expected.body != nil {
		body, err := io.ReadAll(io.LimitReader(response.Body, bodyLimit))
		if err != nil {
			return failed(ctx, err, &stage).about(subject)
		}
		if !expected.body.Match(body) {
			return unhealthy("body does not match %q in its first %d bytes", expected.body, len(body)).about(subject)
		}
	}
	return healthy("status %d", response.StatusCode).about(subject)
}

func failed(ctx context.Context, err error, stage *stage) answer {
	if ctx.Err() != nil {
		return stage.timedOut()
	}
	return explain(err)
}

// transport makes one connection and no more: no keep-alive, no proxy of the
// environment. RoundTrip follows no redirect, and repeats nothing on a fresh
// connection.
func (c *Checker) transport() *http.Transport {
	return &http.Transport{
		DialContext:            dialAsking,
		TLSClientConfig:        &tls.Config{RootCAs: c.roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: headerLimit,
	}
}

func newRequest(ctx context.Context, check deployment.HTTPCheck, addresses map[string]string) (*http.Request, error) {
	text, err := fill(check.URL, addresses, nil)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	// The parser's error quotes what it stumbles over, which may be a password.
	target, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("url: not a valid URL once its addresses are filled in; check user, host and port")
	}
	if (target.Scheme != "http" && target.Scheme != "https") || target.Host == "" {
		return nil, errors.New("url: must begin with http:// or https:// and a host")
	}
	method := check.Method
	if method == "" {
		method = http.MethodGet
	}
	user := target.User
	shown := *target
	shown.User = nil
	request, err := http.NewRequestWithContext(ctx, method, shown.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("method: %q is not valid", method)
	}
	if user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
	}
	request.Header.Set("User-Agent", userAgent)
	for name, value := range check.Headers {
		value, err := fill(value, addresses, nil)
		if err != nil {
			return nil, fmt.Errorf("headers.%s: %w", name, err)
		}
		if !headerName.MatchString(name) || strings.ContainsAny(value, "\r\n\x00") {
			return nil, fmt.Errorf("headers: %q cannot be sent: its name or value has characters that no header may have", name)
		}
		if strings.EqualFold(name, "Host") {
			request.Host = value
			continue
		}
		request.Header.Set(name, value)
	}
	return request, nil
}

// statuses renders [200 204] as "200 or 204".
func statuses(list []int) string {
	texts := make([]string, len(list))
	for i, status := range slices.Sorted(slices.Values(list)) {
		texts[i] = fmt.Sprint(status)
	}
	return strings.Join(texts, " or ")
}
