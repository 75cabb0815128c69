package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// DefaultURL is where a host listens that nobody configured otherwise.
const DefaultURL = "http://localhost:8080"

// Config of a client.
type Config struct {
	// URL of the host. Default DefaultURL.
	URL string
	// Token is sent with every request; "" asks as the anonymous viewer.
	Token string
	// HTTP replaces the HTTP client. Default: one of this package's own, without
	// a time limit on the whole request, for the context has that.
	HTTP *http.Client
	// UserAgent names the caller. Default "apm-client".
	UserAgent string
}

// Client speaks to one host. Its methods may be called at the same time.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
	agent string
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// New returns a client. The URL must be http or https.
func New(config Config) (*Client, error) {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	base, err := url.Parse(strings.TrimSuffix(config.URL, "/"))
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("parse url %q: want http://HOST:PORT or https://HOST:PORT", config.URL)
	}
	if config.HTTP == nil {
		config.HTTP = &http.Client{Transport: newTransport()}
	}
	if config.UserAgent == "" {
		config.UserAgent = "apm-client"
	}
	return &Client{base: base, token: config.Token, http: config.HTTP, agent: config.UserAgent}, nil
}

// URL is where the host is.
func (c *Client) URL() string { return c.base.String() }

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// newTransport returns a transport that is nobody else's.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       30 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 90 * time.Second,
	}
}

// request is one exchange.
type request struct {
	method string
	path   string
	query  url.Values
	body   any
	key    string // idempotency key
	etag   string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
}

// attempts is how often a request that is safe to repeat is sent.
const attempts = 3

// do sends a request and decodes the answer into out. What is safe to repeat (a
// GET, or what carries an idempotency key) is sent again when the connection
// broke before an answer. A host that did not answer in time is not asked again.
func (c *Client) do(ctx context.Context, r request, out any) (answer, error) {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return answer{}, fmt.Errorf("encode %s %s: %w", r.method, r.path, err)
		}
	}
	repeatable := r.method == http.MethodGet || r.key != ""
	for attempt := 1; ; attempt++ {
		got, err := c.once(ctx, r, body, out)
		var broke *url.Error
		if err == nil || !repeatable || attempt == attempts || ctx.Err() != nil ||
			!errors.As(err, &broke) || broke.Timeout() || errors.Is(err, syscall.ECONNREFUSED) {
			return got, err
		}
		if err := wait(ctx, backoff(attempt)); err != nil {
			return answer{}, err
		}
	}
}

// once sends a request once.
func (c *Client) once(ctx context.Context, r request, body []byte, out any) (answer, error) {
	target := *c.base
	target.Path = c.base.Path + r.path
	target.RawPath = c.base.EscapedPath() + r.path
	if unescaped, err := url.PathUnescape(target.RawPath); err == nil {
		target.Path = unescaped
	}
	target.RawQuery = r.query.Encode()
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), reader)
	if err != nil {
		return answer{}, fmt.Errorf("make request %s %s: %w", r.method, r.path, err)
	}
	c.headers(req.Header)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	if r.etag != "" {
		req.Header.Set("If-None-Match", r.etag)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("ask %s: %w", c.base, err)
	}
	defer res.Body.Close()
	got := answer{status: res.StatusCode, header: res.Header}
	content, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return got, fmt.Errorf("read answer of %s %s: %w", r.method, r.path, err)
	}
	switch {
	case res.StatusCode == http.StatusNotModified:
		return got, nil
	case res.StatusCode >= http.StatusMultipleChoices:
		// The body of a health that is bad is that health.
		if r.path == "/healthz" && json.Unmarshal(content, out) == nil {
			return got, nil
		}
		return got, problemOf(res, content)
	case out == nil:
		return got, nil
	}
	if err := json.Unmarshal(content, out); err != nil {
		return got, fmt.Errorf("%s answers %s %s as no apm host does; check its address: %w", c.base, r.method, r.path, err)
	}
	return got, nil
}

// headers sets what every request carries.
func (c *Client) headers(h http.Header) {
	h.Set("User-Agent", c.agent)
	h.Set("Accept", "application/json")
	if c.token != "" {
		h.Set("Authorization", "Bearer "+c.token)
	}
}

// NewKey returns an idempotency key that nobody else has.
func NewKey() string { return rand.Text() }
