package access

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"time"

	authentication "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Account is who we are in the eyes of the cluster, "" if it does not say.
func Account(ctx context.Context, client kubernetes.Interface) string {
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authentication.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return ""
	}
	return review.Status.UserInfo.Username
}

// Expired says which of the credentials have expired and when, as far as that
// stands in them; "" if none has.
func Expired(config *rest.Config, now time.Time) string {
	if end := certificateEnd(config); !end.IsZero() && now.After(end) {
		return "the client certificate expired at " + end.UTC().Format(time.RFC3339)
	}
	if end := tokenEnd(config); !end.IsZero() && now.After(end) {
		return "the token expired at " + end.UTC().Format(time.RFC3339)
	}
	return ""
}

func certificateEnd(config *rest.Config) time.Time {
	data := config.CertData
	if len(data) == 0 && config.CertFile != "" {
		data, _ = os.ReadFile(config.CertFile)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return time.Time{}
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}
	}
	return certificate.NotAfter
}

// tokenEnd reads the end of a token that is a JWT. Whether it is genuine is for the
// cluster to say.
func tokenEnd(config *rest.Config) time.Time {
	token := config.BearerToken
	if config.BearerTokenFile != "" {
		data, _ := os.ReadFile(config.BearerTokenFile)
		token = strings.TrimSpace(string(data))
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var of struct {
		Expiry float64 `json:"exp"`
	}
	if json.Unmarshal(claims, &of) != nil || of.Expiry == 0 {
		return time.Time{}
	}
	return time.Unix(int64(of.Expiry), 0)
}

// Whose names the credentials of a configuration, for messages.
func Whose(config *rest.Config) string {
	switch {
	case config.ExecProvider != nil:
		return fmt.Sprintf("the credentials that the program %q hands out", config.ExecProvider.Command)
	case config.BearerTokenFile != "":
		return "the token in " + config.BearerTokenFile
	case config.BearerToken != "":
		return "the token"
	case len(config.CertData) > 0 || config.CertFile != "":
		return "the client certificate"
	case config.Username != "":
		return fmt.Sprintf("the password of %q", config.Username)
	case config.AuthProvider != nil:
		return fmt.Sprintf("the credentials of the provider %q", config.AuthProvider.Name)
	default:
		return "a request without credentials"
	}
}
