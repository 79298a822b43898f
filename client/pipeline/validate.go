package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// schema compiles the file's schema.
func schema() *jsonschema.Schema {
	const name = "pipelines.schema.json"
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaText))
	if err != nil {
		panic(err) // the schema is embedded
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, text); err != nil {
		panic(err)
	}
	return c.MustCompile(name)
}

// validate validates the tree against the schema.
func (t *tree) validate() []Problem {
	compiled := schema()
	invalid, ok := errors.AsType[*jsonschema.ValidationError](compiled.Validate(t.value))
	if !ok {
		return nil
	}
	var problems []Problem
	t.explain(compiled, invalid, &problems)
	slices.SortStableFunc(problems, func(a, b Problem) int { return a.Line - b.Line })
	return problems
}

// explain appends a problem for each innermost cause of e.
func (t *tree) explain(compiled *jsonschema.Schema, e *jsonschema.ValidationError, problems *[]Problem) {
	at := e.InstanceLocation
	add := func(path []string, format string, args ...any) {
		*problems = append(*problems, t.problem(fmt.Sprintf(format, args...), path...))
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			add(append(slices.Clone(at), name), "is not a known field%s", suggest(name, members(compiled, at)))
		}
	case *kind.PropertyNames:
		add(append(slices.Clone(at), k.Property), "is not a valid pipeline name: use lowercase letters, digits, - and _")
	case *kind.Required:
		for _, name := range k.Missing {
			add(at, "is missing %s: add %s", name, examples[name])
		}
	case *kind.Type:
		add(at, "must be %s, not %s", oneOf(k.Want), typeNames[k.Got])
	case *kind.Minimum:
		add(at, "must be at least %s", k.Want.RatString())
	case *kind.Maximum:
		add(at, "must be at most %s", k.Want.RatString())
	case *kind.Pattern:
		add(at, "must be %s, got %q", strings.Trim(k.Want, "^$"), k.Got)
	case *kind.MinLength:
		add(at, "is empty: set it or remove it")
	case *kind.MinProperties, *kind.MaxProperties:
		if len(at) == 1 {
			add(at, "has no member: add %s", examples["pipelines"])
		} else {
			add(at, "must have exactly one member")
		}
	default:
		if len(e.Causes) == 0 {
			add(at, "doesn't match the schema")
		}
		for _, cause := range e.Causes {
			t.explain(compiled, cause, problems)
		}
	}
}

// typeNames describe JSON types in messages.
var typeNames = map[string]string{"string": "a string", "number": "a number", "integer": "a whole number", "boolean": "true or false",
	"object": "an object", "array": "a list", "null": "empty"}

// examples are sample values for required fields.
var examples = map[string]string{
	"pipelines":   "pipelines: {my-pipeline: {config: {…}, destination: …}}",
	"config":      "config: {api_key: \"${STRIPE_API_KEY}\"}",
	"destination": "destination: sqlite:stripe.db",
}

func oneOf(types []string) string {
	var all []string
	for _, t := range types {
		all = append(all, typeNames[t])
	}
	return strings.Join(all, " or ")
}

// members returns the field names that the schema allows in the object at path.
func members(s *jsonschema.Schema, path []string) []string {
	for _, p := range path {
		for s.Ref != nil {
			s = s.Ref
		}
		next := s.Properties[p]
		if _, err := strconv.Atoi(p); err == nil && next == nil {
			return nil
		}
		if next == nil {
			next, _ = s.AdditionalProperties.(*jsonschema.Schema)
		}
		if next == nil {
			return nil
		}
		s = next
	}
	for s.Ref != nil {
		s = s.Ref
	}
	return slices.Sorted(maps.Keys(s.Properties))
}

// suggest returns the end of a message about an unknown name: the closest known name, or all of them if none is
// close.
func suggest(name string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	best := slices.MinFunc(known, func(a, b string) int {
		return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
	})
	if levenshtein.ComputeDistance(name, best) <= 2 {
		return ": did you mean " + best + "?"
	}
	return ": the known ones are " + strings.Join(known, ", ")
}
