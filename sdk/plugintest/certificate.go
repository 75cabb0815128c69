package plugintest

import (
	"crypto/tls"
	"crypto/x509"
)

// tlsConfig trusts the plugin's certificate and nobody else's. Without a client
// certificate the plugin must refuse.
func tlsConfig(plugin *x509.Certificate, client ...tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(plugin)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: "localhost", Certificates: client}
}
