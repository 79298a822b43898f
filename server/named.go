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
	// secretMember is the only member of an object that names a secret, as in {"api_key": {"secret": "stripe-prod"}}.
	secretMember = "secret"
	// largestSecret bounds the file of a secret, in bytes.
	largestSecret = 64 << 10
)

// secretName is the name of a secret: that of a file of the folder, and never a path. It is what Kubernetes allows as
// the key of a Secret, less those that begin with a dot.
var secretName = regexp.MustCompile(`^[0-9A-Za-z_-][0-9A-Za-z._-]{0,252}$`)

// SecretsDir is a folder of secrets, one in a file, that configurations may name instead of holding them, so that they
// need not travel.
type SecretsDir struct{ root *os.Root }

// OpenSecrets opens a directory of secrets. Its files are re-read for each call.
func OpenSecrets(path string) (*SecretsDir, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &SecretsDir{root}, nil
}

// Close closes the folder.
func (d *SecretsDir) Close() error { return d.root.Close() }

// read returns a secret without the white space around it. The root follows only links within the directory, which mounted
// secrets consist of.
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

// resolve puts the secrets into a configuration that names them: in the fields that the schema marks as writeOnly, an
// object whose only member is "secret". It changes nothing of what it was given. The error is a [connector.Failure] that
// names the fields and repeats no name: a key may stand where a name belongs.
func (s *service) resolve(ctx context.Context, config *structpb.Struct) (*structpb.Struct, error) {
	r := resolver{
		dir:     s.opts.Secrets,
		allowed: callOf(ctx).mayName,
		used:    callOf(ctx).uses,
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
	unreadable func(path string, err error) // reports the reason to the operator
}

// object returns config with its secrets inserted, or config itself if it refers to none.
func (r *resolver) object(path string, config *structpb.Struct, schema map[string]any) *structpb.Struct {
	properties, _ := schema["properties"].(map[string]any)
	resolved := config
	for _, field := range slices.Sorted(maps.Keys(properties)) { // so that violations come in one order
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
		r.add(path, `must be the secret itself, or name one that the service has: {"secret": "NAME"}.`)
		return ""
	}
	name := value.StringValue
	switch {
	case r.dir == nil:
		r.add(path, "names a secret, and this service has none: have its operator start it with --secrets-dir, or send the secret itself.")
		return ""
	case !secretName.MatchString(name):
		r.add(path, "names a secret with a name that cannot be: a name has letters, digits, -, _ and dots, and does not begin with a dot.")
		return ""
	case !r.allowed(name):
		r.add(path, "names a secret that this caller may not use: have the operator write its name behind the caller's token.")
		return ""
	}
	secret, err := r.dir.read(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.add(path, "names a secret that this service does not have: check the name, or have the operator put a file of that name into its folder of secrets.")
	case err != nil:
		r.unreadable(path, err)
		r.add(path, "names a secret that this service cannot read: have the operator see to it that its file holds the secret and may be read.")
	default:
		r.used(name)
	}
	return secret
}

// schemaOf decodes a schema; nil if it is none.
func schemaOf(schema json.RawMessage) map[string]any {
	var parsed map[string]any
	if json.Unmarshal(schema, &parsed) != nil {
		return nil
	}
	return parsed
}
