package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// section is the result of a scenario.
type section struct {
	name, title string
	// setting describes what was read and how. remarks explain the figures.
	setting string
	tables  []table
	remarks []string
	targets []target
}

// table is a table of figures. Each row has as many cells as the head.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// String returns the table in Markdown, aligned for a terminal: the first column to the left, figures to the right.
func (t table) String() string {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 4)
		}
	}
	var text strings.Builder
	line := func(cells []string) {
		for i, cell := range cells {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				cell += padding
			} else {
				cell = padding + cell
			}
			text.WriteString("| " + cell + " ")
		}
		text.WriteString("|\n")
	}
	line(t.head)
	for i, width := range widths {
		rule := strings.Repeat("-", width+1)
		if i == 0 {
			text.WriteString("|" + rule + "-")
		} else {
			text.WriteString("|" + rule + ":")
		}
	}
	text.WriteString("|\n")
	for _, row := range t.rows {
		line(row)
	}
	return text.String()
}

// text returns the section as printed in a terminal.
func (s section) text() string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n## %s\n\n%s", s.title, s.body())
	return text.String()
}

func (s section) body() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\n", s.setting)
	for _, t := range s.tables {
		fmt.Fprintf(&text, "%s\n", t)
	}
	for _, remark := range s.remarks {
		fmt.Fprintf(&text, "%s\n\n", remark)
	}
	return text.String()
}

func times(x float64) string   { return fmt.Sprintf("%.2f×", x) }
func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }
func seconds(x float64) string { return fmt.Sprintf("%.1f s", x) }
func whole(x float64) string   { return fmt.Sprintf("%.0f", x) }
func kibibytes(bytes int) string {
	return fmt.Sprintf("%d KiB", bytes>>10)
}

func mebibytes(bytes int64) string {
	return fmt.Sprintf("%d MiB", bytes>>20)
}
