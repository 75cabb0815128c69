package image

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Secrets are credentials as a cluster's pull secrets have them, by registry or by
// the beginning of a repository. It is a keychain.
type Secrets map[string]authn.AuthConfig

// ReadSecret reads what stands in a pull secret, below .dockerconfigjson or, of the old
// kind, .dockercfg.
func ReadSecret(data map[string][]byte) (Secrets, error) {
	type entry struct {
		Username      string `json:"username"`
		Password      string `json:"password"`
		Auth          string `json:"auth"`
		IdentityToken string `json:"identitytoken"`
		RegistryToken string `json:"registrytoken"`
	}
	var entries map[string]entry
	if text, ok := data[".dockerconfigjson"]; ok {
		var file struct {
			Auths map[string]entry `json:"auths"`
		}
		if err := json.Unmarshal(text, &file); err != nil {
			return nil, fmt.Errorf("read .dockerconfigjson: %w", err)
		}
		entries = file.Auths
	} else if text, ok := data[".dockercfg"]; ok {
		if err := json.Unmarshal(text, &entries); err != nil {
			return nil, fmt.Errorf("read .dockercfg: %w", err)
		}
	}
	secrets := Secrets{}
	for place, e := range entries {
		if e.Username == "" && e.Auth != "" {
			decoded, err := base64.StdEncoding.DecodeString(e.Auth)
			if err != nil {
				return nil, fmt.Errorf("read the auth of %q: %w", place, err)
			}
			e.Username, e.Password, _ = strings.Cut(string(decoded), ":")
		}
		secrets[place] = authn.AuthConfig{
			Username: e.Username, Password: e.Password, IdentityToken: e.IdentityToken, RegistryToken: e.RegistryToken,
		}
	}
	return secrets, nil
}

// Resolve implements authn.Keychain: the longest place that fits wins.
func (s Secrets) Resolve(of authn.Resource) (authn.Authenticator, error) {
	best, found := "", authn.AuthConfig{}
	for place, credentials := range s {
		host, path := cutPlace(place)
		if host != cutHost(of.RegistryStr()) || path != "" && !strings.HasPrefix(of.String()+"/", of.RegistryStr()+"/"+path+"/") {
			continue
		}
		if found == (authn.AuthConfig{}) || len(host+path) > len(best) {
			best, found = host+path, credentials
		}
	}
	if found == (authn.AuthConfig{}) {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(found), nil
}

// cutPlace splits https://index.docker.io/v1/ or registry.example/team.
func cutPlace(place string) (host, path string) {
	place = strings.TrimPrefix(strings.TrimPrefix(place, "https://"), "http://")
	host, path, _ = strings.Cut(place, "/")
	path = strings.Trim(path, "/")
	if path == "v1" || path == "v2" {
		path = ""
	}
	return cutHost(host), path
}

// cutHost gives the names of Docker's registry one name.
func cutHost(host string) string {
	if host == "docker.io" || host == "registry-1.docker.io" {
		return "index.docker.io"
	}
	return host
}
