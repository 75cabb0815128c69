package config

import (
	"slices"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// secret notes a value that no message may hold, in the forms in which a message
// may quote it.
func (ps *problems) secret(value string) {
	if value != "" && !slices.Contains(ps.values, value) {
		ps.values = append(ps.values, value)
	}
	for _, one := range deployment.SecretForms(value) {
		if !slices.Contains(ps.secrets, one) {
			ps.secrets = append(ps.secrets, one)
		}
	}
}

// heldBy returns the values of env() that any of the texts holds.
func (ps *problems) heldBy(texts ...string) []string {
	var held []string
	for _, value := range ps.values {
		if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, value) }) {
			held = append(held, value)
		}
	}
	return held
}

func (ps *problems) redact(p deployment.Problem) deployment.Problem {
	p.Message, p.Remedy, p.Field = ps.hide(p.Message), ps.hide(p.Remedy), ps.hide(p.Field)
	return p
}

// hide takes the values of env() out of a text. A message of a plugin or of a
// library may quote what it was given, shortened too.
func (ps *problems) hide(text string) string {
	for _, secret := range ps.secrets {
		text = deployment.HideSecret(text, secret)
	}
	return text
}
