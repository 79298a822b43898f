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
		panic(err) // it is part of the program
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, text); err != nil {
		panic(err)
	}
	return c.MustCompile(name)
}

// validate compares the tree with the schema.
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

// explain puts the innermost errors into words.
func (t *tree) explain(compiled *jsonschema.Schema, e *jsonschema.ValidationError, problems *[]Problem) {
	at := e.InstanceLocation
	add := func(path []string, format string, args ...any) {
		*problems = append(*problems, t.problem(fmt.Sprintf(format, args...), path...))
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			add(append(slices.Clone(at), name), "is not known here%s", meant(name, members(compiled, at)))
		}
	case *kind.PropertyNames:
		add(append(slices.Clone(at), k.Property), "is no name for a pipeline: use small letters, digits, - and _")
	case *kind.Required:
		for _, name := range k.Missing {
			add(at, "lacks %s: write %s", name, examples[name])
		}
	case *kind.Type:
		add(at, "is %s: write %s", words[k.Got], oneOf(k.Want))
	case *kind.Minimum:
		add(at, "is too small: write %s or more", k.Want.RatString())
	case *kind.Maximum:
		add(at, "is too large: write %s or less", k.Want.RatString())
	case *kind.MinLength:
		add(at, "is empty: write something, or leave it out")
	case *kind.MinProperties, *kind.MaxProperties:
		add(at, "must have one member%s", map[bool]string{true: ": write " + examples["pipelines"]}[len(at) == 1])
	default:
		if len(e.Causes) == 0 {
			add(at, "is wrong: look at the schema")
		}
		for _, cause := range e.Causes {
			t.explain(compiled, cause, problems)
		}
	}
}

// words are the types of JSON for people.
var words = map[string]string{"string": "a text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
	"object": "an object", "array": "a list", "null": "empty"}

// examples show what is required.
var examples = map[string]string{
	"pipelines":   "pipelines: {my-pipeline: {config: {…}, destination: …}}",
	"config":      "config: {api_key: \"${STRIPE_API_KEY}\"}",
	"destination": "destination: sqlite:stripe.db",
}

func oneOf(types []string) string {
	var all []string
	for _, t := range types {
		all = append(all, words[t])
	}
	return strings.Join(all, " or ")
}

// members gives the names that the schema knows for the object at a path.
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

// meant suggests what a name may have been meant to be.
func meant(name string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	best := slices.MinFunc(known, func(a, b string) int {
		return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
	})
	if levenshtein.ComputeDistance(name, best) <= 2 {
		return ": did you mean " + best + "?"
	}
	return ": write " + strings.Join(known, ", ")
}
