package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
)

// readFile reads a file, or stdin if path is "-".
func (a *app) readFile(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(a.stdin)
	}
	return os.ReadFile(path)
}

// config reads the configuration from the file at path, if path is not empty. If the configuration has no API key,
// the key is taken from STRIPE_API_KEY. Errors never quote the file's content, which may be secret.
func (a *app) config(path string) (*structpb.Struct, error) {
	fields := map[string]any{}
	if path != "" {
		content, err := a.readFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
		if err := decodeConfig(content, &fields); err != nil {
			return nil, fmt.Errorf("the configuration in %s %w", path, err)
		}
	}
	if key := strings.TrimSpace(a.getenv("STRIPE_API_KEY")); key != "" && (fields["api_key"] == nil || fields["api_key"] == "") {
		fields["api_key"] = key
	}
	if path == "" && fields["api_key"] == nil {
		return nil, errors.New("no configuration: name a file with --config, or set STRIPE_API_KEY")
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
