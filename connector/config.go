package connector

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Config is a configuration as the user wrote it: one JSON object, which contains secrets. Only [Config.JSON] returns
// the content. Formatting with any verb, logging, marshaling, or dumping a Config by reflection yields "[config]" or
// an address, even if the Config is nested in another value: the content is held by a closure, which reflection can't
// see into.
//
// The zero value is the configuration of a request that had none.
type Config struct {
	content func() json.RawMessage
}

// hiddenConfig is printed in place of a configuration.
const hiddenConfig = "[config]"

// NewConfig returns a Config with the given content. It keeps content, which must not be modified afterwards.
func NewConfig[Text ~string | ~[]byte](content Text) Config {
	raw := json.RawMessage(content)
	if len(raw) == 0 {
		return Config{}
	}
	return Config{content: func() json.RawMessage { return raw }}
}

// JSON returns the content, secrets included, or nil if there is none. The caller must not modify it.
func (c Config) JSON() json.RawMessage {
	if c.content == nil {
		return nil
	}
	return c.content()
}

// Equal reports whether c and other have the same content.
func (c Config) Equal(other Config) bool { return string(c.JSON()) == string(other.JSON()) }

// String implements [fmt.Stringer] without the content.
func (Config) String() string { return hiddenConfig }

// Format implements [fmt.Formatter] without the content, for every verb.
func (Config) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hiddenConfig)) }

// LogValue implements [slog.LogValuer] without the content.
func (Config) LogValue() slog.Value { return slog.StringValue(hiddenConfig) }

// MarshalText implements [encoding.TextMarshaler] without the content; JSON, XML and YAML use it.
func (Config) MarshalText() ([]byte, error) { return []byte(hiddenConfig), nil }
