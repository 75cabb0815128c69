package output

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// The colours of the sixteen that every terminal has: the reader's own theme
// decides how they look.
var (
	good = lipgloss.NewStyle().Foreground(lipgloss.Color("2"))
	bad  = lipgloss.NewStyle().Foreground(lipgloss.Color("1")).Bold(true)
	busy = lipgloss.NewStyle().Foreground(lipgloss.Color("6"))
	warn = lipgloss.NewStyle().Foreground(lipgloss.Color("3"))
	dim  = lipgloss.NewStyle().Faint(true)
)

// tones are the words that have a colour, wherever they stand as a word.
var tones = map[string]lipgloss.Style{
	"completed": good, "healthy": good, "ready": good, "ok": good, "succeeded": good,
	"failed": bad, "rollback_failed": bad, "unhealthy": bad, "fail": bad, "broken": bad, "gone": bad,
	"rolled_back": warn, "degraded": warn, "cancelled": warn, "warn": warn, "backoff": warn, "unknown": warn,
	"pending": busy, "preparing": busy, "deploying": busy, "verifying": busy, "rolling_back": busy, "starting": busy,
	"skipped": dim, "unchanged": dim, "removed": dim,
}

// Tone returns word in its colour, or as it is.
func Tone(word string) string {
	if style, ok := tones[word]; ok {
		return style.Render(word)
	}
	return word
}

// Dim returns text that steps back.
func Dim(text string) string { return dim.Render(text) }

// paint colours the words of a rendered line; its width stays.
func paint(line string, heading bool) string {
	if heading {
		return dim.Render(line)
	}
	words := strings.Split(line, " ")
	for i, word := range words {
		words[i] = Tone(word)
	}
	return strings.Join(words, " ")
}

// Paint colours the status words of a rendered line; its width stays.
func Paint(line string) string { return paint(line, false) }
