package conform

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/apm-deploy/apm/sdk/plugintest"
)

// serves is how the running component is asked which content it is: by a command,
// or by GET.
type serves struct {
	*hook
	port, path string
}

// maxBody bounds what is read of an answer.
const maxBody = 1 << 20

func (f *File) readServes(b *hclsyntax.Block) *serves {
	f.onlyAttributes(b.Type, b.Body, []string{"command", "port", "path"}, nil)
	s := &serves{hook: f.newHook(b.Type), path: "/"}
	port, path := b.Body.Attributes["port"], b.Body.Attributes["path"]
	if b.Body.Attributes["command"] != nil {
		for _, a := range []*hclsyntax.Attribute{port, path} {
			if a != nil {
				f.scope.ps.add(a.NameRange.Start, "keep the command, or port and path", `%q and "command" in serves exclude each other`, a.Name)
			}
		}
		s.command = f.command(b, "command")
		return s
	}
	if port != nil {
		if s.port = f.text(port); s.port == "" {
			f.scope.ps.add(port.Expr.Range().Start, `write the name of an address, as in "http"`, `"port" in serves is empty`)
		}
	}
	if path != nil {
		s.path = f.text(path)
		if _, err := url.ParseRequestURI(s.path); err != nil || !strings.HasPrefix(s.path, "/") {
			f.scope.ps.add(path.Expr.Range().Start, `write it as in "/version"`, "%q is no path", s.path)
		}
	}
	return s
}

// content is Serves of the suite.
func (s *serves) content(t plugintest.T, addresses map[string]string) string {
	t.Helper()
	var content string
	var err error
	if len(s.command) > 0 {
		content, err = s.run(t.Context(), "command", s.command, environmentOf(addresses)...)
	} else {
		content, err = s.get(t.Context(), addresses)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return content
}

// environmentOf tells a command the addresses: APM_ADDRESS_HTTP for the one named
// http, and APM_ADDRESS for the only one.
func environmentOf(addresses map[string]string) []string {
	var env []string
	for name, address := range addresses {
		variable := strings.Map(func(r rune) rune {
			if (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9') {
				return r
			}
			return '_'
		}, strings.ToUpper(name))
		env = append(env, "APM_ADDRESS_"+variable+"="+address)
		if len(addresses) == 1 {
			env = append(env, "APM_ADDRESS="+address)
		}
	}
	return env
}

// address finds the one to ask: that of the port, else the only one, else the one
// named http.
func (s *serves) address(addresses map[string]string) (string, error) {
	port := s.port
	if port == "" && len(addresses) == 1 {
		for name := range addresses {
			port = name
		}
	}
	if port == "" {
		port = "http"
	}
	address, found := addresses[port]
	if !found {
		return "", fmt.Errorf("serves: the component has no address %q, only %q: name one of them by port", port, slices.Sorted(maps.Keys(addresses)))
	}
	return address, nil
}

// get asks over a connection of its own, which leads to whatever gets the traffic
// now.
func (s *serves) get(ctx context.Context, addresses map[string]string) (string, error) {
	address, err := s.address(addresses)
	if err != nil {
		return "", err
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	target := strings.TrimSuffix(address, "/") + s.path
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return "", fmt.Errorf("serves: %w", err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", fmt.Errorf("serves: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return "", fmt.Errorf("serves: read answer of %s: %w", target, err)
	}
	if response.StatusCode/100 != 2 {
		return "", fmt.Errorf("serves: %s answers %s: %s", target, response.Status, oneLine(string(body)))
	}
	return string(body), nil
}
