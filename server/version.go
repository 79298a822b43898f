package server

import (
	"strconv"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
)

// protocolVersion is the protocol that this server speaks, "MAJOR.MINOR". Minor versions only add.
const (
	protocolMajor   = 1
	protocolVersion = "1.0"
)

// checkVersion says whether a request in the protocol asked can be understood. Empty means ours, and any minor version
// of our major version will do.
func checkVersion(asked string) error {
	if asked == "" {
		return nil
	}
	majorText, minorText, _ := strings.Cut(asked, ".")
	major, err := strconv.ParseUint(majorText, 10, 16)
	if err == nil {
		_, err = strconv.ParseUint(minorText, 10, 16)
	}
	if err != nil {
		return connector.Invalid(connector.Violation{
			Field:       "protocol_version",
			Description: `must be "MAJOR.MINOR", such as "` + protocolVersion + `", or empty`,
		})
	}
	if major != protocolMajor {
		return &versionError{major: major}
	}
	return nil
}
