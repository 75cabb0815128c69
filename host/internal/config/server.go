package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

func (c *Config) readServer(o *object, ps *problems) {
	c.Server = Server{
		Listen:       "localhost:8080",
		AllowedHosts: []string{"localhost", "127.0.0.1", "[::1]"},
		WebSocket:    WebSocket{Ping: 15 * time.Second, Idle: 60 * time.Second, Buffer: 256},
	}
	s := o.first("server")
	if s == nil {
		return
	}
	if s.has("listen") {
		c.Server.Listen = s.text("listen")
	}
	host, ok := listenHost(c.Server.Listen)
	if !ok {
		ps.add(s.attrs["listen"].at, `write host:port, as in "localhost:8080"`, "%q is no address: %s", "listen", quote(c.Server.Listen))
	}
	if s.has("anonymous") {
		c.readAnonymous(s, host, ok, ps)
	}
	if s.has("allowed_hosts") {
		c.Server.AllowedHosts = s.texts("allowed_hosts")
		for i, one := range c.Server.AllowedHosts {
			if !isHost(one) {
				ps.add(s.locate([]string{"allowed_hosts", strconv.Itoa(i)}), `write a host without port, as in "localhost" or "[::1]"`, "%s is no host", quote(one))
			}
		}
	} else {
		c.allowHost(host)
	}
	c.Server.AllowedOrigins = s.texts("allowed_origins")
	for i, one := range c.Server.AllowedOrigins {
		if !isOrigin(one) {
			ps.add(s.locate([]string{"allowed_origins", strconv.Itoa(i)}), `write scheme and host, as in "http://localhost:8080"; there are no patterns`, "%s is no origin", quote(one))
		}
	}
	if ws := s.first("websocket"); ws != nil {
		c.readWebSocket(ws, ps)
	}
}

// ListenOn puts an address in the place of server.listen. The rules are the same.
func (c *Config) ListenOn(listen string) error {
	host, ok := listenHost(listen)
	switch {
	case !ok:
		return &deployment.Error{
			Code: deployment.Invalid, Message: "--listen: " + quote(listen) + " is no address",
			Remedy: `write host:port, as in "localhost:8080"`,
		}
	case c.Server.Anonymous != "" && !isLoopback(host):
		return &deployment.Error{
			Code:    deployment.Invalid,
			Message: fmt.Sprintf("server.anonymous of %s is possible on loopback only, not on %s", c.File, quote(listen)),
			Remedy:  `remove it there, or listen on "localhost:8080"`,
		}
	}
	c.Server.Listen = listen
	c.allowHost(host)
	return nil
}

// allowHost adds the host that the server listens on, if it names one.
func (c *Config) allowHost(host string) {
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		return
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if !slices.Contains(c.Server.AllowedHosts, host) {
		c.Server.AllowedHosts = append(c.Server.AllowedHosts, host)
	}
}

// readAnonymous takes viewer, and only where no other machine can reach it.
func (c *Config) readAnonymous(s *object, host string, known bool, ps *problems) {
	at := s.attrs["anonymous"].at
	switch {
	case s.text("anonymous") != string(deployment.RoleViewer):
		ps.add(at, `write "viewer", or remove it`, "%q cannot be %s: a caller without token may at most read", "anonymous", quote(s.text("anonymous")))
	case known && !isLoopback(host):
		ps.add(at, `remove it, or listen on "localhost:8080"`, "%q is possible on loopback only, and listen is %s", "anonymous", quote(c.Server.Listen))
	default:
		c.Server.Anonymous = deployment.RoleViewer
	}
}

func (c *Config) readWebSocket(ws *object, ps *problems) {
	w := &c.Server.WebSocket
	w.Ping = ws.duration(ps, "ping", 100*time.Millisecond, w.Ping)
	w.Idle = ws.duration(ps, "idle", 200*time.Millisecond, w.Idle)
	w.Buffer = ws.number(ps, "buffer", 1, 65536, w.Buffer)
	if w.Idle <= w.Ping && !ps.failed() {
		at := ws.at
		for _, name := range []string{"ping", "idle"} {
			if ws.has(name) {
				at = ws.attrs[name].at
			}
		}
		ps.add(at, "make idle at least twice ping", "idle (%s) must be longer than ping (%s): every client would be cut", written(w.Idle), written(w.Ping))
	}
}

// listenHost splits host:port with a numeric port.
func listenHost(listen string) (string, bool) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", false
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", false
	}
	return host, host == "" || isHost(host) || strings.Contains(host, ":")
}

// isLoopback says whether only this machine can reach host.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// isHost says whether text is a host as a Host header has it, without port.
func isHost(text string) bool {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		return ok && err == nil && ip.Is6()
	}
	if text == "" || len(text) > 253 {
		return false
	}
	for _, r := range text {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_' {
			return false
		}
	}
	return true
}

// isOrigin says whether text is an Origin header: scheme and host, exactly.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return false
	}
	host := u.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return isHost(host) && text == u.Scheme+"://"+u.Host
}
