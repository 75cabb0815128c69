package config

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// hidden stands for what env() returned.
const hidden = "[sensitive]"

// secret notes a value that no message may hold, in the forms in which a message
// may quote it.
func (ps *problems) secret(value string) {
	forms := []string{value, strings.TrimSpace(value), strings.Trim(strconv.Quote(value), `"`)}
	if encoded, err := json.Marshal(value); err == nil {
		forms = append(forms, strings.Trim(string(encoded), `"`))
	}
	for _, one := range forms {
		if one != "" && !slices.Contains(ps.secrets, one) {
			ps.secrets = append(ps.secrets, one)
		}
	}
}

func (ps *problems) redact(p deployment.Problem) deployment.Problem {
	p.Message, p.Remedy, p.Field = ps.hide(p.Message), ps.hide(p.Remedy), ps.hide(p.Field)
	return p
}

// hide takes the values of env() out of a text. A message of a plugin or of a
// library may quote what it was given, shortened too.
func (ps *problems) hide(text string) string {
	for _, secret := range ps.secrets {
		text = hideOne(text, secret)
	}
	return text
}

// hideOne replaces secret in text, and what begins with its first bytes: a
// message may have cut it. One of up to three bytes goes only where it stands
// alone, or ordinary words would go with it.
func hideOne(text, secret string) string {
	const head, short = 12, 3
	begin := secret[:min(len(secret), head)]
	var b strings.Builder
	for {
		i := strings.Index(text, begin)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		n := len(begin)
		for n < len(secret) && i+n < len(text) && secret[n] == text[i+n] {
			n++
		}
		b.WriteString(text[:i])
		if len(secret) <= short && insideWord(b.String(), text[i+n:]) {
			b.WriteString(text[i : i+n])
		} else {
			b.WriteString(hidden)
		}
		text = text[i+n:]
	}
}

// insideWord says whether before ends, or after begins, in a word.
func insideWord(before, after string) bool {
	last, _ := utf8.DecodeLastRuneInString(before)
	first, _ := utf8.DecodeRuneInString(after)
	return unicode.IsLetter(last) || unicode.IsDigit(last) || unicode.IsLetter(first) || unicode.IsDigit(first)
}
