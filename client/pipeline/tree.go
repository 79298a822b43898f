package pipeline

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	// The YAML organization's library, the successor of gopkg.in/yaml. Its nodes know their lines.
	"go.yaml.in/yaml/v4"
)

// tree is a YAML document as JSON values, along with the line of each value.
type tree struct {
	value any
	lines map[string]int // line numbers by path
	order map[string][]string
}

const (
	// maxContent is the maximum size of a document in bytes.
	maxContent = 4 << 20
	// maxValues and maxDepth bound the values of a document, since aliases can expand a few lines into very many, or
	// into themselves.
	maxValues, maxDepth = 100_000, 32
)

// parseTree parses a document.
func parseTree(content []byte) (*tree, []Problem) {
	t := &tree{lines: map[string]int{}, order: map[string][]string{}}
	if len(content) > maxContent {
		return t, []Problem{{Message: fmt.Sprintf("is too large: a pipeline file can't have more than %d bytes", maxContent)}}
	}
	var document yaml.Node
	if err := yaml.Load(content, &document); err != nil {
		if syntax, ok := errors.AsType[*yaml.LoadError](err); ok && syntax.Mark.Line > 0 {
			return t, []Problem{{Line: syntax.Mark.Line, Message: "is not valid YAML: " + strings.ReplaceAll(syntax.Message, "\n", " ") +
				". Check the indentation, and quote strings that contain :, #, { or }"}}
		}
		return t, []Problem{{Message: "must be a single YAML document that starts with pipelines:"}}
	}
	w := walker{tree: t}
	t.value = w.walk(document.Content[0], nil)
	return t, w.problems
}

// walker builds a tree from YAML nodes.
type walker struct {
	*tree
	problems []Problem
	values   int
}

func (w *walker) complain(n *yaml.Node, at []string, format string, args ...any) {
	w.problems = append(w.problems, Problem{Path: join(at), Line: n.Line, Message: fmt.Sprintf(format, args...)})
}

func (w *walker) walk(n *yaml.Node, at []string) any {
	if w.values > maxValues {
		return nil
	}
	w.values++
	switch {
	case w.values > maxValues:
		w.complain(n, at, "is too much: a file can't have more than %d values", maxValues)
		return nil
	case len(at) > maxDepth:
		w.values = maxValues + 1 // stop here, since the rest may be just as deep
		w.complain(n, at[:3], "is nested more than %d levels deep: remove the alias that contains itself", maxDepth)
		return nil
	}
	if _, seen := w.lines[join(at)]; !seen {
		w.lines[join(at)] = n.Line
	}
	switch n.Kind {
	case yaml.AliasNode:
		return w.walk(n.Alias, at)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for i, c := range n.Content {
			list = append(list, w.walk(c, append(slices.Clone(at), strconv.Itoa(i))))
		}
		return list
	case yaml.MappingNode:
		return w.object(n, at)
	}
	return w.scalar(n, at)
}

func (w *walker) object(n *yaml.Node, at []string) any {
	object := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			w.complain(key, at, "has a key that isn't a string: write name: value")
			continue
		}
		member := append(slices.Clone(at), key.Value)
		if _, twice := object[key.Value]; twice {
			w.complain(key, member, "is set twice: remove one of them")
			continue
		}
		w.lines[join(member)] = key.Line
		w.order[join(at)] = append(w.order[join(at)], key.Value)
		object[key.Value] = w.walk(n.Content[i+1], member)
	}
	return object
}

// scalar returns the JSON value of a scalar. Dates remain strings.
func (w *walker) scalar(n *yaml.Node, at []string) any {
	var value any
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if n.Load(&b) == nil {
			value = b
		}
	case "!!int":
		var i int64
		if n.Load(&i) == nil {
			value = i
		}
	case "!!float":
		var f float64
		if n.Load(&f) == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			value = f
		}
	case "!!str", "!!timestamp":
		value = n.Value
	}
	if value == nil {
		w.complain(n, at, "has an unsupported type: use a string, a number, true or false")
	}
	return value
}

// names returns the field names of the object at path, in file order.
func (t *tree) names(path ...string) []string { return t.order[join(path)] }

// problem returns a Problem for path. Its line is that of the value at path or, if there is none, of the nearest
// enclosing value.
func (t *tree) problem(message string, path ...string) Problem {
	p := Problem{Path: join(path), Message: message, Line: t.lines[join(path)]}
	for ; p.Line == 0 && len(path) > 0; path = path[:len(path)-1] {
		p.Line = t.lines[join(path[:len(path)-1])]
	}
	return p
}

var plain = regexp.MustCompile(`^[\w$*?\[\]-]+$`)

// join formats a path, such as pipelines.acme.select[0].
func join(path []string) string {
	var b strings.Builder
	for _, p := range path {
		_, number := strconv.Atoi(p)
		switch {
		case number == nil && b.Len() > 0:
			b.WriteString("[" + p + "]")
		case !plain.MatchString(p):
			fmt.Fprintf(&b, "[%q]", p)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(p)
		}
	}
	return b.String()
}
