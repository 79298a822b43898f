package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	// secretMember is the only member of an object that refers to a secret, as in {"api_key": {"secret": "stripe-prod"}}.
	secretMember = "secret"
	// largestSecret is the maximum size of a secret's file, in bytes.
	largestSecret = 64 << 10
)

// secretName matches the names of secrets, which are file names, never paths. It matches the keys that Kubernetes allows in
// a Secret, except those that begin with a dot.
var secretName = regexp.MustCompile(`^[0-9A-Za-z_-][0-9A-Za-z._-]{0,252}$`)

// SecretsDir is a directory of secrets, one per file. A configuration can refer to a secret by name, so that the secret
// itself isn't sent with every call.
type SecretsDir struct{ root *os.Root }

// OpenSecrets opens a directory of secrets. Its files are re-read for each call.
func OpenSecrets(path string) (*SecretsDir, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &SecretsDir{root}, nil
}

// Close closes the directory.
func (d *SecretsDir) Close() error { return d.root.Close() }

// read returns a secret without surrounding white space. The root only follows symbolic links within the directory, as used
// in secrets mounted by Kubernetes.
func (d *SecretsDir) read(name string) (string, error) {
	info, err := d.root.Stat(name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > largestSecret {
		return "", fmt.Errorf("is not a file of at most %d bytes", largestSecret)
	}
	content, err := d.root.ReadFile(name)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(content))
	if secret == "" || !utf8.ValidString(secret) {
		return "", errors.New("is empty, or not UTF-8")
	}
	return secret, nil
}

// resolve returns config with its references to secrets resolved. A reference is an object whose only member is "secret",
// in a field that the schema marks as writeOnly. resolve does not modify config. The error is a [connector.Failure] that
// lists the fields but never quotes a name, which may be a key in the wrong place.
func (s *service) resolve(ctx context.Context, config *structpb.Struct) (*structpb.Struct, error) {
	r := resolver{
		dir:     s.opts.Secrets,
		allowed: callOf(ctx).mayUse,
		used:    callOf(ctx).addSecret,
		unreadable: func(path string, err error) {
			s.opts.Logger.ErrorContext(ctx, "cannot read a secret", "field", path, "error", err)
		},
	}
	resolved := r.object("config", config, s.schema)
	return resolved, r.err()
}

// resolver resolves one configuration.
type resolver struct {
	parser
	dir        *SecretsDir
	allowed    func(name string) bool
	used       func(name string)
	unreadable func(path string, err error) // logs why a secret can't be read
}

// object returns config with its secrets inserted, or config itself if it refers to none.
func (r *resolver) object(path string, config *structpb.Struct, schema map[string]any) *structpb.Struct {
	properties, _ := schema["properties"].(map[string]any)
	resolved := config
	for _, field := range slices.Sorted(maps.Keys(properties)) { // for a stable order of violations
		property, _ := properties[field].(map[string]any)
		inner := config.GetFields()[field].GetStructValue()
		if inner == nil {
			continue
		}
		var value *structpb.Value
		if property["writeOnly"] == true {
			value = structpb.NewStringValue(r.secret(path+"."+field, inner))
		} else if deeper := r.object(path+"."+field, inner, property); deeper != inner {
			value = structpb.NewStructValue(deeper)
		} else {
			continue
		}
		if resolved == config {
			resolved = proto.CloneOf(config)
		}
		resolved.Fields[field] = value
	}
	return resolved
}

// secret returns the secret referenced by named, a {"secret": "NAME"} object.
func (r *resolver) secret(path string, named *structpb.Struct) string {
	value, ok := named.GetFields()[secretMember].GetKind().(*structpb.Value_StringValue)
	if !ok || len(named.GetFields()) != 1 {
		r.add(path, `must be the secret itself, or refer to one that the service has: {"secret": "NAME"}.`)
		return ""
	}
	name := value.StringValue
	switch {
	case r.dir == nil:
		r.add(path, "refers to a secret, but this service has none: ask the operator to start it with --secrets-dir, or send the secret itself.")
		return ""
	case !secretName.MatchString(name):
		r.add(path, "refers to a secret by an invalid name: use only letters, digits, -, _ and dots, and don't start with a dot.")
		return ""
	case !r.allowed(name):
		r.add(path, "refers to a secret that this caller may not use: ask the operator to add its name after the caller's token.")
		return ""
	}
	secret, err := r.dir.read(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.add(path, "refers to a secret that this service does not have: check the name, or ask the operator to add a file of that name to the secrets directory.")
	case err != nil:
		r.unreadable(path, err)
		r.add(path, "refers to a secret that this service cannot read: ask the operator to check that its file contains the secret and is readable.")
	default:
		r.used(name)
	}
	return secret
}

// schemaOf returns the decoded schema, or nil if it is not a JSON object.
func schemaOf(schema json.RawMessage) map[string]any {
	var parsed map[string]any
	if json.Unmarshal(schema, &parsed) != nil {
		return nil
	}
	return parsed
}
