package airbyte

import (
	"bytes"
	"encoding/json"
)

// secretsOf returns the values of the fields of a configuration that its schema marks as secret.
func secretsOf(schema, config json.RawMessage) (secrets [][]byte) {
	var fields struct {
		Properties map[string]struct {
			Secret bool `json:"airbyte_secret"`
		} `json:"properties"`
	}
	var given map[string]any
	if json.Unmarshal(schema, &fields) != nil || json.Unmarshal(config, &given) != nil {
		return nil
	}
	for name, field := range fields.Properties {
		if text, ok := given[name].(string); ok && field.Secret && text != "" {
			secrets = append(secrets, []byte(text))
		}
	}
	return secrets
}

// hide replaces the secrets in a line.
func (o *output) hide(line []byte) []byte {
	for _, secret := range o.secrets {
		line = bytes.ReplaceAll(line, secret, []byte("[secret]"))
	}
	return line
}
