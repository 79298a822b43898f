package connector

import (
	"fmt"
	"log/slog"
)

// Secret is a string, such as an API key, that only [Secret.Reveal] returns. Formatting, logging, marshaling or
// dumping a Secret yields "[secret]" or an address, even if it is nested in another value, as with [Config].
//
// The zero value is the empty string.
type Secret struct {
	text func() string
}

// hiddenSecret is printed in place of a secret.
const hiddenSecret = "[secret]"

// NewSecret returns a Secret that holds text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: func() string { return text }}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return s.text()
}

// Equal reports whether s and other hold the same text.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String implements [fmt.Stringer] without the text.
func (Secret) String() string { return hiddenSecret }

// Format implements [fmt.Formatter] without the text, for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hiddenSecret)) }

// LogValue implements [slog.LogValuer] without the text.
func (Secret) LogValue() slog.Value { return slog.StringValue(hiddenSecret) }

// MarshalText implements [encoding.TextMarshaler] without the text; JSON, XML and YAML use it.
func (Secret) MarshalText() ([]byte, error) { return []byte(hiddenSecret), nil }
