package health

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// defaultPort is the name of the address that ${address} means where there are
// several.
const defaultPort = "http"

var placeholder = regexp.MustCompile(`\$\{\s*address(?:es\.([A-Za-z0-9_-]+))?\s*\}`)

// fill replaces ${address} and ${addresses.NAME} by what the platform reported.
// quote is applied to each address; nil leaves it as it is.
func fill(text string, addresses map[string]string, quote func(string) string) (string, error) {
	var missing error
	filled := placeholder.ReplaceAllStringFunc(text, func(found string) string {
		address, err := pick(placeholder.FindStringSubmatch(found)[1], addresses)
		if err != nil {
			missing = err
			return found
		}
		if quote != nil {
			address = quote(address)
		}
		return address
	})
	return filled, missing
}

// pick returns the address of that name; of no name the only one, else the one
// named http.
func pick(name string, addresses map[string]string) (string, error) {
	known := slices.Sorted(maps.Keys(addresses))
	if len(known) == 0 {
		return "", fmt.Errorf("no address known: the platform has reported none for this component")
	}
	switch {
	case name != "":
	case len(known) == 1:
		name = known[0]
	default:
		name = defaultPort
	}
	address := addresses[name]
	if address == "" {
		return "", fmt.Errorf("no address named %q: the platform reports %s; write ${addresses.NAME} with one of them",
			name, strings.Join(known, ", "))
	}
	return address, nil
}

// redact leaves of a URL what may be shown: no user, no query, no fragment.
func redact(u *url.URL) string {
	shown := *u
	shown.User, shown.RawFragment, shown.Fragment = nil, "", ""
	query := shown.RawQuery != "" || shown.ForceQuery
	shown.RawQuery, shown.ForceQuery = "", false
	if query {
		return shown.String() + "?…"
	}
	return shown.String()
}
