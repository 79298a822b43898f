package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client/reference"
)

// Resolved is the configuration and the destination of a pipeline, with references replaced by the secrets.
type Resolved struct {
	Config      *structpb.Struct
	Destination string
	secrets     []string
}

// Redact replaces the secrets in text.
func (r *Resolved) Redact(text string) string {
	for _, s := range r.secrets {
		text = strings.ReplaceAll(text, s, "[secret]")
	}
	return text
}

// Resolve looks up the environment variables, files and commands that a pipeline refers to. It is called before each run, so a
// changed key is used from the next run on.
func (p *Pipeline) Resolve(ctx context.Context, getenv func(string) string) (*Resolved, error) {
	r := reference.Resolver{Getenv: getenv, Folder: p.folder}
	config, _ := r.Resolve(ctx, p.config, "config").(map[string]any)
	to, _ := r.Resolve(ctx, p.destination, "destination").(string)
	if err := r.Err(); err != nil {
		return nil, err
	}
	s, err := structpb.NewStruct(config)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return &Resolved{s, to, r.Secrets()}, nil
}

// checkReferences returns a problem for each malformed reference in value. It doesn't look up any.
func (t *tree) checkReferences(value any, path ...string) []Problem {
	var problems []Problem
	const form = "contains a malformed reference: write ${NAME} with the name of an environment variable, or $${ for a literal ${"
	switch v := value.(type) {
	case string:
		if !reference.IsWellFormed(v) {
			problems = append(problems, t.problem(form, path...))
		}
	case []any:
		for i, member := range v {
			problems = append(problems, t.checkReferences(member, append(slices.Clone(path), strconv.Itoa(i))...)...)
		}
	case map[string]any:
		if kind, words, ok := reference.Parse(v); ok {
			if kind == reference.Env && !reference.IsName(words[0]) {
				problems = append(problems, t.problem("is not a valid name of an environment variable: write one such as STRIPE_API_KEY", append(slices.Clone(path), kind)...))
			}
			return problems
		}
		for name, member := range v {
			problems = append(problems, t.checkReferences(member, append(slices.Clone(path), name)...)...)
		}
	}
	return problems
}
