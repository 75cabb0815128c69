package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// confirm asks before something that cannot be taken back. Without a terminal
// nobody can answer: then --yes is needed.
func (s *session) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if !s.inIs.Present || !s.err.Present {
		return usage(errors.New("this asks before it acts, and there is no terminal to ask on: add --yes"))
	}
	fmt.Fprint(s.err, question+" [y/N] ")
	answer, err := bufio.NewReader(s.in).ReadString('\n')
	if err != nil && answer == "" {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return errors.New("nothing was done")
	}
}

// again returns a command line that reaches the same host, ready to paste.
func (s *session) again(words ...string) string {
	line := []string{first(s.program, "apm")}
	for _, flag := range []struct{ name, value string }{
		{"--url", s.flags.url}, {"--data-dir", s.flags.dataDir}, {"--config-file", s.flags.configFile},
	} {
		if flag.value != "" {
			line = append(line, flag.name, quote(flag.value))
		}
	}
	return strings.Join(append(line, words...), " ")
}

// quote makes text one word of a shell.
func quote(text string) string {
	plain := func(r rune) bool {
		return strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=,~", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
