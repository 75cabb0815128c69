package server

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Config of the server. New fills in the defaults.
type Config struct {
	// Listen is HOST:PORT; "localhost" is every loopback address, IPv4 and IPv6.
	// Port 0 takes a free one. Default "localhost:8080".
	Listen string
	// AllowedHosts are what the Host header may say, without port. Default
	// localhost, 127.0.0.1 and [::1].
	AllowedHosts []string
	// AllowedOrigins are what the Origin header may say; a request without one
	// passes. An entry with port 0 means the port that Listen got. Default: http
	// at each allowed host and the port that Listen got.
	AllowedOrigins []string
	// Ping is how often a WebSocket client is pinged. Default 20 s.
	Ping time.Duration
	// Idle is how long a WebSocket client may be silent, pongs included. Default 60 s.
	Idle time.Duration
	// Buffer is how many messages may wait for one WebSocket client. Default 256.
	Buffer int
	// WriteTimeout is how long one message to a WebSocket client may take; with a
	// full buffer for half as long the client is slow, and is cut. Default 10 s.
	WriteTimeout time.Duration
	// MaxSockets is how many WebSocket clients there may be. Default 4096.
	MaxSockets int
	// Poll is how often rows are looked for without a doorbell. Default 1 s.
	Poll time.Duration
	// HostName names this host in the store. Default "local".
	HostName string
	// Version of the host. Default "dev".
	Version string
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Limits of a request.
const (
	maxBody    = 4 << 20
	maxHeaders = 16 << 10
	maxDepth   = 64 // of JSON
)

// Timeouts of a connection.
const (
	readTimeout  = 15 * time.Second
	writeTimeout = 60 * time.Second
	idleTimeout  = 90 * time.Second
)

// withDefaults fills in what the configuration leaves open.
func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = "localhost:8080"
	}
	if len(c.AllowedHosts) == 0 {
		c.AllowedHosts = []string{"localhost", "127.0.0.1", "[::1]"}
	}
	setDuration(&c.Ping, 20*time.Second)
	setDuration(&c.Idle, 60*time.Second)
	setDuration(&c.WriteTimeout, 10*time.Second)
	setDuration(&c.Poll, time.Second)
	if c.Buffer == 0 {
		c.Buffer = 256
	}
	if c.MaxSockets == 0 {
		c.MaxSockets = 4096
	}
	if c.HostName == "" {
		c.HostName = "local"
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// setDuration sets a duration that was left open.
func setDuration(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Listen != "" {
		if _, port, err := net.SplitHostPort(c.Listen); err != nil {
			errs = append(errs, fmt.Errorf("listen %q: want HOST:PORT, like localhost:8080", c.Listen))
		} else if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
			errs = append(errs, fmt.Errorf("listen %q: the port is a number from 0 to 65535", c.Listen))
		}
	}
	for _, origin := range c.AllowedOrigins {
		scheme, rest, ok := strings.Cut(origin, "://")
		if !ok || (scheme != "http" && scheme != "https") || rest == "" || strings.ContainsAny(rest, "/*") {
			errs = append(errs, fmt.Errorf("allowed_origins %q: want SCHEME://HOST[:PORT], like http://localhost:8080", origin))
		}
	}
	for _, host := range c.AllowedHosts {
		if host == "" || strings.ContainsAny(host, "/*") {
			errs = append(errs, fmt.Errorf("allowed_hosts %q: want a host without port, like localhost", host))
		}
	}
	if c.Ping < 0 || c.Idle < 0 || (c.Ping > 0 && c.Idle > 0 && c.Idle <= c.Ping) {
		errs = append(errs, fmt.Errorf("idle %s: must be longer than ping %s", c.Idle, c.Ping))
	}
	if c.Buffer < 0 || c.MaxSockets < 0 {
		errs = append(errs, errors.New("buffer and max_sockets: must not be negative"))
	}
	return errors.Join(errs...)
}
