package config

import (
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

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

// leastShown is how long a sensitive value is at least, in bytes, to be taken out
// of messages and lines: a shorter one is part of many words.
const leastShown = 6

// secretsIn notes the texts of a value that the schema calls sensitive. Unlike the
// values of env() they may stand in the file itself, and in the line of it that a
// problem shows.
func (ps *problems) secretsIn(v cty.Value) {
	mapTexts(v, nil, func(text string, _ []string) string {
		if trimmed := strings.TrimSpace(text); len(trimmed) >= leastShown {
			for _, form := range deployment.SecretForms(trimmed) {
				if !slices.Contains(ps.shown, form) {
					ps.shown = append(ps.shown, form)
				}
			}
		}
		return text
	})
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
	p.Snippet = ps.hide(p.Snippet)
	return p
}

// hide takes the values of env() out of a text. A message of a plugin or of a
// library may quote what it was given, shortened too.
func (ps *problems) hide(text string) string {
	for _, secret := range ps.secrets {
		text = deployment.HideSecret(text, secret)
	}
	for _, secret := range ps.shown {
		text = strings.ReplaceAll(text, secret, deployment.Hidden)
	}
	return text
}
