package output

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/cli/go-gh/v2/pkg/tableprinter"
)

// Grid is what a table shows: a heading, columns with rows, and free text.
type Grid struct {
	wide    bool
	color   bool
	columns []Column
	rows    [][]string
	before  []string
	after   []string
}

// Column of a table.
type Column struct {
	Name string
	Wide bool // shown with -o wide only
	Flex bool // truncated to make the line fit the terminal
}

// Columns sets the columns.
func (g *Grid) Columns(columns ...Column) { g.columns = columns }

// Row adds a row, a cell for each column.
func (g *Grid) Row(cells ...string) { g.rows = append(g.rows, cells) }

// Title adds a line above the table.
func (g *Grid) Title(format string, args ...any) {
	g.before = append(g.before, fmt.Sprintf(format, args...))
}

// Note adds a line below the table.
func (g *Grid) Note(format string, args ...any) {
	g.after = append(g.after, fmt.Sprintf(format, args...))
}

// Wide says whether more is shown.
func (g *Grid) Wide() bool { return g.wide }

func (g *Grid) render(out Writer) error {
	var b bytes.Buffer
	for _, line := range g.before {
		b.WriteString(strings.Join(CleanLines(line), "\n") + "\n")
	}
	if len(g.columns) > 0 && len(g.rows) > 0 {
		if err := g.table(&b, out.Width); err != nil {
			return err
		}
	}
	for _, line := range g.after {
		b.WriteString(strings.Join(CleanLines(line), "\n") + "\n")
	}
	_, err := out.Write(b.Bytes())
	return err
}

func (g *Grid) table(b *bytes.Buffer, width int) error {
	if width == 0 || g.wide {
		width = noLimit
	}
	var table bytes.Buffer
	printer := tableprinter.New(&table, true, width)
	for _, row := range append([][]string{names(g.columns)}, g.rows...) {
		for i, column := range g.columns {
			if column.Wide && !g.wide {
				continue
			}
			cell := "-"
			if i < len(row) && row[i] != "" {
				cell = Clean(row[i])
			}
			if column.Flex {
				printer.AddField(cell, tableprinter.WithTruncate(truncate))
			} else {
				printer.AddField(cell, tableprinter.WithTruncate(nil))
			}
		}
		printer.EndRow()
	}
	if err := printer.Render(); err != nil {
		return fmt.Errorf("render table: %w", err)
	}
	for i, line := range strings.Split(strings.TrimRight(table.String(), "\n"), "\n") {
		line = strings.TrimRight(line, " ")
		if g.color {
			line = paint(line, i == 0)
		}
		b.WriteString(line + "\n")
	}
	return nil
}

func truncate(width int, s string) string { return ansi.Truncate(s, max(width, 1), "…") }

func names(columns []Column) []string {
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = column.Name
	}
	return names
}
