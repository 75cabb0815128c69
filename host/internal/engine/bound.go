package engine

import (
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
)

// clip returns the beginning of a text that is too long.
func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText - len("…")
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.TrimSpace(text[:end]) + "…"
}

// lastOf returns the last of too many.
func lastOf[T any](all []T) []T { return all[max(len(all)-maxLines, 0):] }

// crowded says whether the component has so many resources that one more is left
// out.
func crowded(component *deployment.Component) bool { return len(component.Resources) >= maxResources }
