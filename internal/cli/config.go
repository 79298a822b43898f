package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client/reference"
)

// readFile reads a file, or stdin if path is "-".
func (a *app) readFile(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(a.stdin)
	}
	return os.ReadFile(path)
}

// config reads the configuration from the file that the flags name, if any, and resolves its references to files, commands and
// environment variables. If it has no API key, the key is taken from --api-key-file or else from STRIPE_API_KEY. Errors never
// quote the file's content, which may be secret.
func (c *call) config(ctx context.Context, a *app) (*structpb.Struct, error) {
	fields := map[string]any{}
	r := reference.Resolver{Getenv: a.getenv}
	if c.configPath != "" {
		content, err := a.readFile(c.configPath)
		if err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
		if err := decodeConfig(content, &fields); err != nil {
			return nil, fmt.Errorf("the configuration in %s %w", c.configPath, err)
		}
		if c.configPath != "-" {
			r.Folder = filepath.Dir(c.configPath)
		}
		for name, value := range fields {
			if object, ok := value.(map[string]any); ok {
				fields[name] = r.Resolve(ctx, object, "config."+name)
			}
		}
	}
	if fields["api_key"] == nil || fields["api_key"] == "" {
		r.Folder = ""
		if key := strings.TrimSpace(a.getenv("STRIPE_API_KEY")); c.keyPath != "" {
			fields["api_key"] = r.Read(ctx, reference.File, []string{c.keyPath}, "--api-key-file")
		} else if key != "" {
			fields["api_key"] = key
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	if c.configPath == "" && fields["api_key"] == nil {
		return nil, errors.New("no configuration: name a file with --config, or the key with --api-key-file or STRIPE_API_KEY")
	}
	return structpb.NewStruct(fields)
}

// decodeConfig decodes content, which must be a single JSON object.
func decodeConfig(content []byte, fields *map[string]any) error {
	const form = `write it as {"api_key": "rk_…", "start_date": "2024-01-31"}`
	if trimmed := bytes.TrimSpace(content); len(trimmed) == 0 || trimmed[0] != '{' {
		return errors.New("is not a JSON object: " + form)
	}
	err := json.Unmarshal(content, fields)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		before := content[:min(int(syntax.Offset), len(content))]
		line := bytes.Count(before, []byte("\n")) + 1
		column := len(before) - bytes.LastIndexByte(before, '\n') - 1
		return fmt.Errorf("is not valid JSON at line %d, column %d: %s", line, column, form)
	}
	return err
}

// apiBase returns the configuration's api_base, or nil if it has none.
func apiBase(config *structpb.Struct) []string {
	if base := config.GetFields()["api_base"].GetStringValue(); base != "" {
		return []string{base}
	}
	return nil
}
