package pipeline

import (
	"fmt"
	"strings"
)

// Problem is something that is wrong in a file.
type Problem struct {
	// Path is that of the part, such as pipelines.acme.schedule.every; empty for the whole file.
	Path string
	// Line is the part's, from 1; zero if it has none.
	Line int
	// Message says what is wrong and how to mend it. It goes on after the path, and quotes no value.
	Message string
}

func (p Problem) String() string {
	where := p.Path
	if where == "" {
		where = "the file"
	}
	if p.Line > 0 {
		where = fmt.Sprintf("line %d: %s", p.Line, where)
	}
	return where + " " + p.Message + "."
}

// Problems are the errors of a file.
type Problems struct {
	Path string
	List []Problem
}

// Error lists all of them, a line each.
func (p *Problems) Error() string {
	lines := []string{p.Path + " is wrong. Mend this and try again:"}
	for _, problem := range p.List {
		lines = append(lines, "  "+problem.String())
	}
	return strings.Join(lines, "\n")
}
