package server

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	v1 "github.com/apm-deploy/apm/api/v1"
)

// guard refuses what must not get as far as a route: a request line that cannot
// be read, a Host that is not ours (a page that rebinds its name to this
// machine), an Origin that is not allowed.
func (s *Server) guard(c *fiber.Ctx) error {
	uri := string(c.Request().Header.RequestURI()) // as it was sent
	if !strings.HasPrefix(uri, "/") {
		return newProblem(http.StatusBadRequest, "the request target must be a path", "send the path alone, like GET /api/v1/deployments")
	}
	parsed, err := url.ParseRequestURI(uri)
	if err != nil {
		return newProblem(http.StatusBadRequest, "the request target is not a valid URL", "escape it")
	}
	if err := guardQuery(parsed.RawQuery); err != nil {
		return err
	}
	if err := guardText(parsed.Path); err != nil {
		return err
	}
	if raw := c.Request().Header.RawHeaders(); hasHeader(raw, "transfer-encoding") && hasHeader(raw, "content-length") {
		c.Context().SetConnectionClose()
		return newProblem(http.StatusBadRequest, "the request has both a Content-Length and a Transfer-Encoding", "send one of them")
	}
	if compressed(c) {
		return newProblem(http.StatusUnsupportedMediaType, "a compressed body is not read", "send it as it is")
	}
	if host := string(c.Request().Header.Host()); !s.origins.host(host) {
		return newProblem(http.StatusForbidden, "the Host header does not name this host",
			"use one of server.allowed_hosts: "+strings.Join(s.origins.hosts, ", "))
	}
	if origin := c.Get(fiber.HeaderOrigin); origin != "" && !s.origins.origin(origin) {
		return newProblem(http.StatusForbidden, "the Origin is not allowed",
			"add it to server.allowed_origins in config.hcl if its pages may use this host")
	}
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Next()
}

// compressed says whether a body names an encoding. The framework would unpack
// it, to whatever size, for the first who asks for the body.
func compressed(c *fiber.Ctx) bool {
	if len(c.Request().Body()) == 0 {
		return false
	}
	for _, encoding := range c.Request().Header.PeekAll(fiber.HeaderContentEncoding) {
		if len(encoding) > 0 {
			return true
		}
	}
	return false
}

// guardQuery refuses a query that would be understood in part, or otherwise than
// it is meant.
func guardQuery(text string) error {
	if unescaped, err := url.QueryUnescape(text); err == nil {
		if err := guardText(unescaped); err != nil {
			return err
		}
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		return newProblem(http.StatusBadRequest, "the query of the request target cannot be read", "escape it, and put & between parameters")
	}
	for name, given := range values {
		if len(given) > 1 {
			location, message := "query."+name, "given "+strconv.Itoa(len(given))+" times"
			return newProblem(http.StatusUnprocessableEntity, "the request is not valid: "+location+": "+message, "",
				v1.ProblemItem{Location: location, Message: message, Remedy: "keep one of them"})
		}
	}
	return nil
}

// guardText refuses text of a request target that nobody could have meant.
func guardText(text string) error {
	switch {
	case hasControl(text):
		return newProblem(http.StatusBadRequest, "the request target contains control characters", "leave them out")
	case !utf8.ValidString(text):
		return newProblem(http.StatusBadRequest, "the request target is not UTF-8", "encode it as UTF-8, then escape it")
	default:
		return nil
	}
}

// hasHeader looks at raw headers: the framework forgets what it did not go by, a
// proxy in front may not.
func hasHeader(raw []byte, name string) bool {
	return bytes.Contains(bytes.ToLower(append([]byte("\n"), raw...)), []byte("\n"+name+":"))
}

// hasControl says whether the text has control characters in it.
func hasControl(text string) bool {
	return strings.ContainsFunc(text, unicode.IsControl)
}

// allowed are the exact lists of hosts and origins.
type allowed struct {
	hosts   []string
	origins []string
}

// newAllowed makes the lists, for a server that listens on port.
func newAllowed(config Config, port string) *allowed {
	a := &allowed{}
	for _, host := range config.AllowedHosts {
		host = strings.ToLower(host)
		if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
			host = "[" + host + "]"
		}
		a.hosts = append(a.hosts, host)
	}
	for _, origin := range config.AllowedOrigins {
		origin = strings.ToLower(origin)
		if rest, ok := strings.CutSuffix(origin, ":0"); ok {
			origin = rest + ":" + port
		}
		a.origins = append(a.origins, origin)
	}
	if len(config.AllowedOrigins) == 0 {
		for _, host := range a.hosts {
			a.origins = append(a.origins, "http://"+host+":"+port)
		}
	}
	return a
}

// host says whether a Host header, its port aside, is one of ours.
func (a *allowed) host(header string) bool {
	name := strings.ToLower(header)
	if end := strings.LastIndexByte(name, ':'); end > strings.LastIndexByte(name, ']') {
		name = name[:end]
	}
	return contains(a.hosts, name)
}

// origin says whether an Origin header is allowed.
func (a *allowed) origin(header string) bool { return contains(a.origins, strings.ToLower(header)) }

// contains says whether the list has the word.
func contains(list []string, word string) bool {
	for _, known := range list {
		if known == word {
			return true
		}
	}
	return false
}
