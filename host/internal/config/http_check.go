package config

import (
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

var (
	placeholder = regexp.MustCompile(`\$\{[^}]*\}?`)
	addressText = regexp.MustCompile(`^\$\{(address|addresses\.[A-Za-z_][A-Za-z0-9_-]*)\}$`)
	token       = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	methodName  = regexp.MustCompile(`^[A-Z]+$`)
)

// httpCheck reads the keys of an http check.
func (w *work) httpCheck(o *object) *deployment.HTTPCheck {
	c := &deployment.HTTPCheck{
		URL: o.text("url"), Method: "GET", Headers: o.textMap("headers"), Status: []int{200},
		Body: o.text("body"), Header: o.textMap("header"),
		Latency: o.duration(w.ps, "latency", time.Nanosecond, 0),
	}
	if o.has("url") {
		w.checkURL(o)
	}
	if o.has("method") {
		c.Method = o.text("method")
		if !methodName.MatchString(c.Method) {
			w.ps.add(o.attrs["method"].at, `write it in capitals, as in "GET"`, "%q cannot be %s", "method", quote(c.Method))
		}
	}
	if o.has("status") {
		if c.Status = o.numbers(w.ps, "status", 100, 599); len(c.Status) == 0 && o.attrs["status"].LengthInt() == 0 {
			w.ps.add(o.attrs["status"].at, "name one, or remove it for [200]", "%q is empty: no answer would be healthy", "status")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		at := o.locate([]string{"headers", name})
		if !token.MatchString(name) {
			w.ps.add(at, "letters, digits and -", "%s is no name of a header", quote(name))
		}
		if strings.ContainsFunc(c.Headers[name], func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			w.ps.add(at, "write it in one line", "the header %s holds a control character", quote(name))
		}
		w.placeholders(c.Headers[name], at)
	}
	w.checkPatterns(o, c)
	return c
}

// checkPatterns compiles the regular expressions.
func (w *work) checkPatterns(o *object, c *deployment.HTTPCheck) {
	const remedy = "write a regular expression (RE2)"
	w.noAddress(o, "body")
	if _, err := regexp.Compile(c.Body); err != nil {
		w.ps.add(o.attrs["body"].at, remedy, "%q is no regular expression: %s", "body", patternError(err))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		at := o.locate([]string{"header", name})
		if !token.MatchString(name) {
			w.ps.add(at, "letters, digits and -", "%s is no name of a header", quote(name))
		}
		if addressIn(c.Header[name]) {
			w.ps.add(at, "write it out", "an address can stand in url, address and headers only")
		}
		if _, err := regexp.Compile(c.Header[name]); err != nil {
			w.ps.add(at, remedy, "the pattern of header %s is no regular expression: %s", quote(name), patternError(err))
		}
	}
}

func patternError(err error) string {
	return clip(strings.TrimPrefix(err.Error(), "error parsing regexp: "), 100)
}

// noAddress refuses addresses where they would not be replaced.
func (w *work) noAddress(o *object, name string) {
	if addressIn(o.text(name)) {
		w.ps.add(o.attrs[name].at, "write it out", "an address can stand in url, address and headers only")
	}
}

func addressIn(text string) bool {
	return strings.Contains(text, "${address}") || strings.Contains(text, "${addresses.")
}

// placeholders refuses every ${…} but an address: nothing else is replaced when
// the check is asked.
func (w *work) placeholders(text string, at place) bool {
	for _, one := range placeholder.FindAllString(text, -1) {
		if !addressText.MatchString(one) {
			w.ps.add(at, "only ${address} and ${addresses.NAME} can stand here", "%s is not known here", quote(one))
			return false
		}
	}
	return true
}

// withAddress fills in some address, to look at the rest.
func withAddress(text string) string { return placeholder.ReplaceAllString(text, "127.0.0.1:1") }

func (w *work) checkURL(o *object) {
	at, text := o.attrs["url"].at, o.text("url")
	if !w.placeholders(text, at) {
		return
	}
	u, err := url.Parse(withAddress(text))
	port := 0
	if err == nil && u.Port() != "" {
		port, err = strconv.Atoi(u.Port())
	}
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || port > 65535 {
		w.ps.add(at, `write one such as "http://${address}/healthz"`, "%q is no URL of http or https: %s", "url", quote(text))
	}
}

// checkAddress checks host:port.
func (w *work) checkAddress(o *object) {
	if !o.has("address") {
		return
	}
	at, text := o.attrs["address"].at, o.text("address")
	if !w.placeholders(text, at) {
		return
	}
	host, port, err := net.SplitHostPort(withAddress(text))
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || host == "" || port == "0" {
		w.ps.add(at, `write host:port, or "${address}"`, "%q is no address: %s", "address", quote(text))
	}
}
