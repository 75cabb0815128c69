//go:build linux

package node

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// An authority signs the certificates of one node. Its key is never written.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
	serial      int64
}

// A pair is a certificate and its key as PEM.
type pair struct{ certificate, key []byte }

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "apm-testbed"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{certificate: certificate, key: key, pem: encode("CERTIFICATE", der), serial: 1}, nil
}

// issue makes a certificate for a user of the API with its groups, or, with
// hosts, for a server.
func (a *authority) issue(user string, groups []string, hosts ...string) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	a.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial),
		Subject:      pkix.Name{CommonName: user, Organization: groups},
		NotBefore:    a.certificate.NotBefore,
		NotAfter:     a.certificate.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if len(hosts) > 0 {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return pair{}, err
	}
	secret, err := keyPEM(key)
	return pair{certificate: encode("CERTIFICATE", der), key: secret}, err
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return encode("EC PRIVATE KEY", der), nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// kubeconfig is a file for one user, with everything inside.
func (a *authority) kubeconfig(server string, user pair) []byte {
	text := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: testbed
contexts:
- name: testbed
  context: {cluster: testbed, user: testbed}
clusters:
- name: testbed
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: testbed
  user:
    client-certificate-data: %s
    client-key-data: %s
`, server, text(a.pem), text(user.certificate), text(user.key))
}

// users of the API inside of the node, with the group that RBAC knows them by.
var users = map[string]struct{ name, group string }{
	"controller-manager": {"system:kube-controller-manager", ""},
	"scheduler":          {"system:kube-scheduler", ""},
	"kubelet":            {"system:node:" + Name, "system:nodes"},
	"kube-proxy":         {"system:kube-proxy", ""},
}

const apiPort = "6443"

// writeSecrets writes keys, certificates and kubeconfig files.
func writeSecrets(dir string, n network) error {
	a, err := newAuthority()
	if err != nil {
		return err
	}
	files := map[string][]byte{"ca.pem": a.pem}
	server, err := a.issue("kube-apiserver", nil, "127.0.0.1", n.node(), n.kubernetes(), "localhost",
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
	if err != nil {
		return err
	}
	files["server.pem"], files["server-key.pem"] = server.certificate, server.key
	client, err := a.issue("kube-apiserver-kubelet-client", []string{"system:masters"})
	if err != nil {
		return err
	}
	files["client.pem"], files["client-key.pem"] = client.certificate, client.key
	accounts, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if files["accounts-key.pem"], err = keyPEM(accounts); err != nil {
		return err
	}
	for file, user := range users {
		var groups []string
		if user.group != "" {
			groups = append(groups, user.group)
		}
		p, err := a.issue(user.name, groups)
		if err != nil {
			return err
		}
		files[file+".kubeconfig"] = a.kubeconfig("https://127.0.0.1:"+apiPort, p)
	}
	admin, err := a.issue("testbed-admin", []string{"system:masters"})
	if err != nil {
		return err
	}
	files["../kubeconfig"] = a.kubeconfig("https://"+n.api(), admin)
	files["admin.pem"], files["admin-key.pem"] = admin.certificate, admin.key
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, "pki", name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
