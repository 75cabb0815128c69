package deployment

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Hidden stands for a secret.
const Hidden = "[sensitive]"

// SecretForms returns the forms in which a text may hold a secret: as it is, and
// as others quote or escape it.
func SecretForms(secret string) []string {
	var forms []string
	add := func(form string) {
		if form != "" && !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	add(secret)
	add(strings.TrimSpace(secret))
	add(strings.Trim(strconv.Quote(secret), `"`))
	if encoded, err := json.Marshal(secret); err == nil {
		add(strings.Trim(string(encoded), `"`))
	}
	add(url.PathEscape(secret))
	add(url.QueryEscape(secret))
	return forms
}

// HideSecret takes a form of a secret out of a text, and what begins with its
// first bytes: a message may have cut it. One of up to three bytes goes only where
// it stands alone, or ordinary words would go with it.
func HideSecret(text, secret string) string {
	if secret == "" {
		return text
	}
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
			b.WriteString(Hidden)
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
