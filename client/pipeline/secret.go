package pipeline

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
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

// Resolve looks up the environment variables and files that a pipeline refers to. It is called before each run, so a
// changed key is used from the next run on.
func (p *Pipeline) Resolve(getenv func(string) string) (*Resolved, error) {
	l := lookup{getenv: getenv, folder: p.folder}
	config, _ := l.resolve(p.config, "config").(map[string]any)
	to, _ := l.resolve(p.destination, "destination").(string)
	if len(l.missing) > 0 {
		return nil, errors.New(strings.Join(l.missing, "; "))
	}
	s, err := structpb.NewStruct(config)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	// Sort the longest first, so that a secret that contains another one is hidden entirely.
	slices.SortFunc(l.secrets, func(a, b string) int { return len(b) - len(a) })
	return &Resolved{s, to, l.secrets}, nil
}

// lookup resolves references, and collects the secrets and the missing references.
type lookup struct {
	getenv  func(string) string
	folder  string
	secrets []string
	missing []string
}

// variable matches a reference in a string, or the escaped form $${.
var variable = regexp.MustCompile(`\$\$\{|\$\{([^}]*)\}?`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// shortest is the minimum length of a value to hide. Shorter values are hardly secrets, and hiding them would garble
// messages.
const shortest = 6

func (l *lookup) found(value string) string {
	if len(value) >= shortest && !slices.Contains(l.secrets, value) {
		l.secrets = append(l.secrets, value)
	}
	return value
}

func (l *lookup) env(name, at string) string {
	value := strings.TrimSpace(l.getenv(name))
	if value == "" {
		l.missing = append(l.missing, fmt.Sprintf("%s refers to the environment variable %s, which is not set: export it before starting", at, name))
	}
	return l.found(value)
}

func (l *lookup) file(path, at string) string {
	content, err := os.ReadFile(resolvePath(l.folder, path))
	value := strings.TrimSpace(string(content))
	if err != nil {
		l.missing = append(l.missing, fmt.Sprintf("%s refers to a file that can't be read: %s", at, err))
	} else if value == "" {
		l.missing = append(l.missing, fmt.Sprintf("%s refers to the file %s, which is empty", at, path))
	}
	return l.found(value)
}

func (l *lookup) resolve(value any, at string) any {
	switch v := value.(type) {
	case string:
		return variable.ReplaceAllStringFunc(v, func(reference string) string {
			if reference == "$${" {
				return "${"
			}
			return l.env(reference[2:len(reference)-1], at)
		})
	case []any:
		list := make([]any, len(v))
		for i, member := range v {
			list[i] = l.resolve(member, at+"["+strconv.Itoa(i)+"]")
		}
		return list
	case map[string]any:
		if kind, of, ok := reference(v); ok && kind == "env" {
			return l.env(of, at)
		} else if ok {
			return l.file(of, at)
		}
		object := map[string]any{}
		for name, member := range v {
			object[name] = l.resolve(member, at+"."+name)
		}
		return object
	}
	return value
}

// reference parses the objects {env: NAME} and {file: PATH}.
func reference(object map[string]any) (kind, of string, ok bool) {
	if len(object) != 1 {
		return "", "", false
	}
	for _, kind := range []string{"env", "file"} {
		if of, ok := object[kind].(string); ok {
			return kind, of, true
		}
	}
	return "", "", false
}

// checkReferences returns a problem for each malformed reference in value. It doesn't look up any.
func (t *tree) checkReferences(value any, path ...string) []Problem {
	var problems []Problem
	const form = "contains a malformed reference: write ${NAME} with the name of an environment variable, or $${ for a literal ${"
	switch v := value.(type) {
	case string:
		for _, m := range variable.FindAllStringSubmatch(v, -1) {
			if m[0] != "$${" && (!strings.HasSuffix(m[0], "}") || !variableName.MatchString(m[1])) {
				problems = append(problems, t.problem(form, path...))
			}
		}
	case []any:
		for i, member := range v {
			problems = append(problems, t.checkReferences(member, append(slices.Clone(path), strconv.Itoa(i))...)...)
		}
	case map[string]any:
		if kind, of, ok := reference(v); ok {
			if kind == "env" && !variableName.MatchString(of) {
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
