package pipeline

import (
	"fmt"
	"strings"
)

// Problem is an error in a pipeline file.
type Problem struct {
	// Path is the invalid field, such as pipelines.acme.schedule.every, or empty for the whole file.
	Path string
	// Line is the line of the field, starting at 1, or zero if unknown.
	Line int
	// Message says what is wrong and how to fix it. It follows the path, and never quotes a value that could be a secret.
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

// Problems is the error of an invalid pipeline file.
type Problems struct {
	Path string
	List []Problem
}

// Error lists all problems, one per line.
func (p *Problems) Error() string {
	lines := []string{p.Path + " is invalid:"}
	for _, problem := range p.List {
		lines = append(lines, "  "+problem.String())
	}
	return strings.Join(lines, "\n")
}
