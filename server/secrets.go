package server

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
)

const (
	// shortestSecret is the minimum length in bytes of a string that is redacted. Shorter ones protect nothing, and
	// redacting them would garble texts.
	shortestSecret = 8
	// longestText is the length in bytes to which each text is cut: all texts of a failure must fit into a trailer.
	longestText = 2 << 10
)

// secrets redacts the secrets of a configuration in the texts that its call sends. Sources promise to keep secrets out of
// failures and logs; this is a safeguard in case a lower layer quotes its input. The zero value knows no secrets.
type secrets struct{ replacer *strings.Replacer }

// secretsOf returns the secrets of config: every string, except those in fields that have a type in the schema and aren't
// marked writeOnly. So a key in a field with a misspelled name is a secret, too.
func secretsOf(config *structpb.Struct, schema json.RawMessage) secrets {
	var parsed map[string]any
	if json.Unmarshal(schema, &parsed) != nil {
		parsed = nil
	}
	var found []string
	collectSecrets(structpb.NewStructValue(config), parsed, &found)
	if len(found) == 0 {
		return secrets{}
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // the longest match wins
	pairs := make([]string, 0, 2*len(found))
	for _, secret := range found {
		pairs = append(pairs, secret, "[secret]")
	}
	return secrets{replacer: strings.NewReplacer(pairs...)}
}

// collectSecrets adds the secrets in value to found. A nil schema means that everything in value is secret.
func collectSecrets(value *structpb.Value, schema map[string]any, found *[]string) {
	if schema["type"] == nil || schema["writeOnly"] == true {
		schema = nil
	}
	switch kind := value.GetKind().(type) {
	case *structpb.Value_StringValue:
		if schema == nil && len(kind.StringValue) >= shortestSecret {
			*found = append(*found, kind.StringValue)
		}
	case *structpb.Value_StructValue:
		properties, _ := schema["properties"].(map[string]any)
		for name, field := range kind.StructValue.GetFields() {
			property, _ := properties[name].(map[string]any)
			collectSecrets(field, property, found)
		}
	case *structpb.Value_ListValue:
		items, _ := schema["items"].(map[string]any)
		for _, item := range kind.ListValue.GetValues() {
			collectSecrets(item, items, found)
		}
	}
}

// cleanMap returns attributes with their names and values cleaned.
func (s secrets) cleanMap(attributes map[string]string) map[string]string {
	cleaned := make(map[string]string, len(attributes))
	for name, value := range attributes {
		cleaned[s.clean(name)] = s.clean(value)
	}
	return cleaned
}

// keyPattern matches anything that looks like an API key, even if it came in a field where it doesn't belong.
var keyPattern = regexp.MustCompile(`\b(?:[a-z]{2,5}_(?:live|test)|whsec)_\w{8,}`)

// clean returns text with secrets redacted, cut to about longestText bytes, and with invalid UTF-8 replaced.
func (s secrets) clean(text string) string {
	text = keyPattern.ReplaceAllString(text, "[secret]")
	if s.replacer != nil {
		text = s.replacer.Replace(text)
	}
	if len(text) > longestText {
		text = text[:longestText] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
