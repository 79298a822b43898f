package connector

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Config is a configuration as the user wrote it: one JSON object, which holds secrets. Only [Config.JSON] returns its
// content. Whatever else is done to a Config, or to a value that holds one, yields "[config]" or an address: printing
// with any verb, logging, marshalling, and dumping by reflection, which can't look into a function.
//
// The zero value is the configuration of a request that brought none.
type Config struct {
	content func() json.RawMessage
}

// hiddenConfig is what is printed in the place of a configuration.
const hiddenConfig = "[config]"

// NewConfig returns the configuration with this content. It keeps content, which must not change any more.
func NewConfig[Text ~string | ~[]byte](content Text) Config {
	raw := json.RawMessage(content)
	if len(raw) == 0 {
		return Config{}
	}
	return Config{content: func() json.RawMessage { return raw }}
}

// JSON returns the content, secrets included; nil if there is none. It must not be changed.
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
