package stripe

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/stripe-connector/stripe-connector/connector"
)

var _ connector.Identifier = (*Source)(nil)

// Identify returns a hash of the API key, the connected account and the API address.
func (s *Source) Identify(raw connector.Config) string {
	c, err := s.parse(raw)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(c.APIKey.Reveal() + "\x00" + c.Account + "\x00" + c.APIBase))
	return hex.EncodeToString(sum[:])
}
