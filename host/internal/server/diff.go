package server

import (
	"fmt"
	"slices"
	"strings"
)

// diffViews returns a unified diff of two views, file by file, "" when they are
// equal.
func diffViews(fromName, toName string, from, to map[string]string) string {
	names := make([]string, 0, len(from)+len(to))
	for name := range from {
		names = append(names, name)
	}
	for name := range to {
		if _, both := from[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		before, after := from[name], to[name]
		if before == after {
			continue
		}
		hunks := unified(splitLines(before), splitLines(after))
		if hunks == "" {
			continue // but for the end of the last line
		}
		fmt.Fprintf(&b, "--- %s/%s\n+++ %s/%s\n%s", fromName, name, toName, name, hunks)
	}
	return b.String()
}

// splitLines returns the lines of a text without their ends.
func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// edit is one line of a diff: ' ' in both, '-' in the old, '+' in the new.
type edit struct {
	kind byte
	line string
}

// maxDiffCells bounds the table of the comparison; beyond it everything between
// the equal beginning and the equal end counts as replaced.
const maxDiffCells = 4 << 20

// edits returns how the old lines become the new ones, by the longest common
// subsequence.
func edits(from, to []string) []edit {
	var head, back []edit
	for len(from) > 0 && len(to) > 0 && from[0] == to[0] {
		head = append(head, edit{' ', from[0]})
		from, to = from[1:], to[1:]
	}
	for len(from) > 0 && len(to) > 0 && from[len(from)-1] == to[len(to)-1] {
		back = append(back, edit{' ', from[len(from)-1]})
		from, to = from[:len(from)-1], to[:len(to)-1]
	}
	slices.Reverse(back)
	i, j := 0, 0
	if (len(from)+1)*(len(to)+1) <= maxDiffCells {
		width := len(to) + 1
		common := make([]int32, (len(from)+1)*width)
		for a := len(from) - 1; a >= 0; a-- {
			for b := len(to) - 1; b >= 0; b-- {
				if from[a] == to[b] {
					common[a*width+b] = common[(a+1)*width+b+1] + 1
				} else {
					common[a*width+b] = max(common[(a+1)*width+b], common[a*width+b+1])
				}
			}
		}
		for i < len(from) && j < len(to) {
			switch {
			case from[i] == to[j]:
				head = append(head, edit{' ', from[i]})
				i++
				j++
			case common[(i+1)*width+j] >= common[i*width+j+1]:
				head = append(head, edit{'-', from[i]})
				i++
			default:
				head = append(head, edit{'+', to[j]})
				j++
			}
		}
	}
	for ; i < len(from); i++ {
		head = append(head, edit{'-', from[i]})
	}
	for ; j < len(to); j++ {
		head = append(head, edit{'+', to[j]})
	}
	return append(head, back...)
}

// unified renders edits in hunks with three lines around each change.
func unified(from, to []string) string {
	const around = 3
	all := edits(from, to)
	var b strings.Builder
	oldLine, newLine := 1, 1
	for start := 0; start < len(all); {
		first := start
		for first < len(all) && all[first].kind == ' ' {
			first++
		}
		if first == len(all) {
			break
		}
		begin := max(first-around, start)
		oldLine, newLine = oldLine+begin-start, newLine+begin-start
		end, quiet := first, 0
		for end < len(all) && quiet <= 2*around {
			if all[end].kind == ' ' {
				quiet++
			} else {
				quiet = 0
			}
			end++
		}
		end -= max(quiet-around, 0)
		writeHunk(&b, all[begin:end], &oldLine, &newLine)
		start = end
	}
	return b.String()
}

// writeHunk renders one hunk and moves the line numbers behind it.
func writeHunk(b *strings.Builder, hunk []edit, oldLine, newLine *int) {
	olds, news := 0, 0
	for _, e := range hunk {
		if e.kind != '+' {
			olds++
		}
		if e.kind != '-' {
			news++
		}
	}
	fmt.Fprintf(b, "@@ -%s +%s @@\n", span(*oldLine, olds), span(*newLine, news))
	for _, e := range hunk {
		b.WriteByte(e.kind)
		b.WriteString(e.line)
		b.WriteByte('\n')
	}
	*oldLine += olds
	*newLine += news
}

// span is the range of a hunk's head. An empty one names the line before it.
func span(line, count int) string {
	if count == 0 {
		line--
	}
	return fmt.Sprintf("%d,%d", line, count)
}
