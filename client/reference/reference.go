// Package reference resolves references to environment variables, files and commands in settings, so that settings files need not
// contain secrets.
//
// In a string, ${NAME} stands for an environment variable, and $${ for a literal ${. Instead of a string, an object names where
// to read it: {"env": NAME}, {"file": PATH}, or {"command": [NAME, ARGUMENT…]}, whose output is the value. White space around
// the value is removed.
package reference

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kinds of references.
const (
	Env     = "env"
	File    = "file"
	Command = "command"
)

// Parse parses an object that stands for a string. It returns the kind of reference, and its words: the name of the variable, the
// path of the file, or the command with its arguments.
func Parse(object map[string]any) (kind string, words []string, ok bool) {
	if len(object) != 1 {
		return "", nil, false
	}
	for _, kind := range []string{Env, File} {
		if of, ok := object[kind].(string); ok {
			return kind, []string{of}, true
		}
	}
	list, ok := object[Command].([]any)
	for _, word := range list {
		text, isText := word.(string)
		ok = ok && isText
		words = append(words, text)
	}
	return Command, words, ok && len(words) > 0 && words[0] != ""
}

var (
	// variable matches a reference in a string, or the escaped form $${.
	variable     = regexp.MustCompile(`\$\$\{|\$\{([^}]*)\}?`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// IsName reports whether name is a valid name of an environment variable.
func IsName(name string) bool { return variableName.MatchString(name) }

// IsWellFormed reports whether all references in a string are well-formed.
func IsWellFormed(text string) bool {
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		if m[0] != "$${" && (!strings.HasSuffix(m[0], "}") || !IsName(m[1])) {
			return false
		}
	}
	return true
}

// Resolver resolves references, and collects their values and any problems.
type Resolver struct {
	Getenv func(string) string
	// Folder is the directory that paths are relative to, and in which commands run. Empty means the current one.
	Folder string

	secrets []string
	missing []string
}

// Resolve returns value with its references replaced by what they refer to. at names the value in errors.
func (r *Resolver) Resolve(ctx context.Context, value any, at string) any {
	switch v := value.(type) {
	case string:
		return variable.ReplaceAllStringFunc(v, func(reference string) string {
			if reference == "$${" {
				return "${"
			}
			return r.env(reference[2:len(reference)-1], at)
		})
	case []any:
		list := make([]any, len(v))
		for i, member := range v {
			list[i] = r.Resolve(ctx, member, at+"["+strconv.Itoa(i)+"]")
		}
		return list
	case map[string]any:
		if kind, words, ok := Parse(v); ok {
			return r.Read(ctx, kind, words, at)
		}
		object := map[string]any{}
		for name, member := range v {
			object[name] = r.Resolve(ctx, member, at+"."+name)
		}
		return object
	}
	return value
}

// Read returns what a reference refers to.
func (r *Resolver) Read(ctx context.Context, kind string, words []string, at string) string {
	switch kind {
	case Env:
		return r.env(words[0], at)
	case File:
		return r.file(words[0], at)
	}
	return r.command(ctx, words, at)
}

// Err returns an error that lists what could not be resolved, or nil.
func (r *Resolver) Err() error {
	if len(r.missing) == 0 {
		return nil
	}
	return errors.New(strings.Join(r.missing, "; "))
}

// Secrets returns the values that were found, the longest first, so that a secret that contains another one can be hidden
// entirely.
func (r *Resolver) Secrets() []string {
	return slices.SortedFunc(slices.Values(r.secrets), func(a, b string) int { return len(b) - len(a) })
}

// shortest is the minimum length of a value to hide. Shorter values are hardly secrets, and hiding them would garble
// messages.
const shortest = 6

func (r *Resolver) found(value string) string {
	if len(value) >= shortest && !slices.Contains(r.secrets, value) {
		r.secrets = append(r.secrets, value)
	}
	return value
}

func (r *Resolver) lacks(format string, args ...any) {
	r.missing = append(r.missing, fmt.Sprintf(format, args...))
}

func (r *Resolver) env(name, at string) string {
	value := strings.TrimSpace(r.Getenv(name))
	if value == "" {
		r.lacks("%s refers to the environment variable %s, which is not set: export it before starting", at, name)
	}
	return r.found(value)
}

func (r *Resolver) file(path, at string) string {
	within := path
	if !filepath.IsAbs(path) {
		within = filepath.Join(r.Folder, path)
	}
	content, err := os.ReadFile(within)
	value := strings.TrimSpace(string(content))
	if err != nil {
		r.lacks("%s refers to a file that can't be read: %s", at, err)
	} else if value == "" {
		r.lacks("%s refers to the file %s, which is empty", at, path)
	}
	return r.found(value)
}

// commandTime is the time limit of a command. It leaves time for a person to answer a prompt.
const commandTime = time.Minute

// command returns the output of a command. It is run without a shell. Errors name only the program, because its arguments and its
// output may be secret.
func (r *Resolver) command(ctx context.Context, words []string, at string) string {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...) //nolint:gosec // it is the user's own
	cmd.Dir, cmd.Stdin = r.Folder, os.Stdin
	cmd.WaitDelay = time.Second // for processes that it leaves behind
	out, err := cmd.Output()
	value := strings.TrimSpace(string(out))
	switch {
	case ctx.Err() != nil:
		r.lacks("%s refers to the command %s, which took longer than %s: run it by hand to see why", at, words[0], commandTime)
	case err != nil:
		r.lacks("%s refers to the command %s, which failed (%s): run it by hand to see why", at, words[0], err)
	case value == "":
		r.lacks("%s refers to the command %s, which printed nothing: run it by hand to see why", at, words[0])
	}
	return r.found(value)
}
