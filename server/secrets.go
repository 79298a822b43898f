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
	// shortestSecret is the length from which on a secret is looked for in texts. Shorter ones guard nothing, and
	// taking them out would garble what is left.
	shortestSecret = 8
	// longestText bounds each text of a failure: all of them must fit into the trailer of a call.
	longestText = 2 << 10
)

// secrets takes the secrets of one configuration out of the texts that leave with its call. Sources promise that
// failures and logs hold none; this makes it so, should a layer below quote what it was given. The zero value knows no
// secrets.
type secrets struct{ replacer *strings.Replacer }

// secretsOf collects the secrets of config: every string, except those that the schema types and does not mark as
// writeOnly. So a key under a misspelt name is a secret too.
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

// cleanMap cleans the names and values of attributes.
func (s secrets) cleanMap(attributes map[string]string) map[string]string {
	cleaned := make(map[string]string, len(attributes))
	for name, value := range attributes {
		cleaned[s.clean(name)] = s.clean(value)
	}
	return cleaned
}

// keyPattern matches what looks like an API key, also one that came in a field where it doesn't belong.
var keyPattern = regexp.MustCompile(`\b(?:[a-z]{2,5}_(?:live|test)|whsec)_\w{8,}`)

// clean makes a text fit to leave: without secrets, valid UTF-8, and not longer than a trailer can bear.
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
