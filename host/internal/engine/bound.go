package engine

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// What a plugin says is recorded up to these bounds, so that one that floods the
// host fills neither its memory nor its store.
const (
	maxText      = 4 << 10 // bytes of a reason, a message, a log line
	maxLines     = sdk.MaxFailureLogs
	maxResources = 1000 // of a component
	maxChecks    = 1000 // of a look
	maxEntries   = 100  // of a map, such as addresses
)

// clip returns the beginning of a text that is too long. What is no UTF-8 is
// replaced: nothing that reads the record could show it.
func clip(text string) string {
	if text = strings.ToValidUTF8(text, "\uFFFD"); len(text) <= maxText {
		return text
	}
	end := maxText - len("…")
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.TrimSpace(text[:end]) + "…"
}

// clipAll clips the keys and values of a map, of the first of too many.
func clipAll(texts map[string]string) map[string]string {
	if texts == nil {
		return nil
	}
	clipped := make(map[string]string, min(len(texts), maxEntries))
	for i, key := range slices.Sorted(maps.Keys(texts)) {
		if i == maxEntries {
			break
		}
		clipped[clip(key)] = clip(texts[key])
	}
	return clipped
}

// lastOf returns the last of too many.
func lastOf[T any](all []T) []T { return all[max(len(all)-maxLines, 0):] }

// crowded says whether the component has so many resources that one more is left
// out.
func crowded(component *deployment.Component) bool { return len(component.Resources) >= maxResources }
