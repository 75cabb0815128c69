package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
)

// ours are the errors of the host itself: it could not look.
var ours = map[syscall.Errno]string{
	syscall.EMFILE:        "no file descriptor left in the host's process; raise its limit (ulimit -n)",
	syscall.ENFILE:        "no file descriptor left on the host's machine; raise fs.file-max",
	syscall.ENOBUFS:       "no buffer space left on the host's machine",
	syscall.ENOMEM:        "no memory left on the host's machine",
	syscall.ENETUNREACH:   "the host has no route to this network",
	syscall.ENETDOWN:      "the host's network is down",
	syscall.EADDRNOTAVAIL: "the host has no local address or port left for the connection",
	syscall.EAFNOSUPPORT:  "the host's system does not support this kind of address",
	syscall.EACCES:        "the host may not open this connection",
	syscall.EPERM:         "the host may not open this connection (a firewall of its own machine?)",
}

// explain says what an error of a connection means. The caller has looked at
// its own deadline before; texts of errors are never shown where they could hold
// a piece of a URL.
func explain(err error) answer {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	for errno, text := range ours {
		if errors.Is(err, errno) {
			return unknown("could not look: %s", text)
		}
	}
	if answered, ok := explainName(err); ok {
		return answered
	}
	if answered, ok := explainTLS(err); ok {
		return answered
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return unhealthy("no answer in time")
	case errors.Is(err, context.Canceled):
		return unknown("stopped looking")
	case errors.Is(err, syscall.ECONNREFUSED):
		return unhealthy("connection refused: nothing listens there")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return unhealthy("connection reset by the other side before it answered")
	case errors.Is(err, syscall.EHOSTUNREACH):
		return unhealthy("no route to the other machine: it is down or unreachable")
	case errors.Is(err, syscall.ETIMEDOUT):
		return unhealthy("connection timed out")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return unhealthy("connection closed by the other side before it answered in full")
	default:
		return unhealthy("%v", err)
	}
}

func explainName(err error) (answer, bool) {
	var name *net.DNSError
	var address *net.AddrError
	switch {
	case errors.As(err, &name) && name.IsNotFound && starved():
		// Without a descriptor the resolver reads nothing and finds nothing.
		return unknown("could not look: %s", ours[syscall.EMFILE]), true
	case errors.As(err, &name) && name.IsNotFound:
		return unhealthy("no such host name %q", name.Name), true
	case errors.As(err, &name):
		return unknown("could not look up the host name %q: the host's resolver does not answer", name.Name), true
	case errors.As(err, &address):
		return unknown("address is not host:port (%s)", address.Err), true
	default:
		return answer{}, false
	}
}

// starved says whether the process has no descriptor left.
func starved() bool {
	file, err := os.Open(os.DevNull)
	if err != nil {
		return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
	}
	_ = file.Close()
	return false
}

func explainTLS(err error) (answer, bool) {
	var (
		record    tls.RecordHeaderError
		remote    *net.OpError
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &record):
		return unhealthy("TLS: the server does not speak TLS on this port (use http://, or the port that does)"), true
	case errors.As(err, &authority):
		return unhealthy("TLS: the certificate is signed by an unknown authority"), true
	case errors.As(err, &hostname):
		return unhealthy("TLS: the certificate is for another name: %v", hostname), true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return unhealthy("TLS: the certificate has expired or is not yet valid: %s", invalid.Detail), true
	case errors.As(err, &invalid):
		return unhealthy("TLS: the certificate is not valid: %v", invalid), true
	case errors.As(err, &remote) && remote.Op == "remote error": // crypto/tls's word for an alert
		return unhealthy("TLS: the server refused the handshake: %v", remote.Err), true
	case errors.As(err, &verify):
		return unhealthy("TLS: the certificate cannot be verified: %v", verify.Err), true
	default:
		return answer{}, false
	}
}
