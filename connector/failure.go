package connector

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Failure describes what went wrong, who can fix it, and whether a retry can help. Message and Internal never contain
// secrets or customer data.
type Failure struct {
	Class      Class
	Message    string // for the user: what is wrong and how to fix it
	Internal   string // for engineers: details from the layers below; may be empty
	Retryable  bool
	RetryAfter time.Duration // zero leaves the delay to the caller
	Stream     string        // empty if all streams are affected
	Account    string        // empty for the key's own account
	RequestID  string        // the source's id of the failed request
	HTTPStatus int           // zero if there was no response
	SourceCode string        // the source's error code, such as "resource_missing"
	Violations []Violation   // the invalid fields, for ConfigError
}

// Violation names one invalid field of a request.
type Violation struct {
	Field       string // path, such as "config.start_date" or "streams[2].fields[0]"
	Description string // what is wrong and how to fix it
}

// Class says who can fix a failure.
type Class int

// The classes, as the protocol names them.
const (
	ConfigError     Class = iota + 1 // the user corrects the request or its configuration
	AuthError                        // the user replaces the credentials
	PermissionError                  // the user extends the key's permissions or deselects the stream
	RateLimit                        // wait, then retry
	Transient                        // retry
	SourceData                       // the source sent something that can't be carried or understood
	System                           // a bug in the connector
)

// String returns the protocol's name for c.
func (c Class) String() string {
	switch c {
	case ConfigError:
		return "CONFIG"
	case AuthError:
		return "AUTH"
	case PermissionError:
		return "PERMISSION"
	case RateLimit:
		return "RATE_LIMIT"
	case Transient:
		return "TRANSIENT"
	case SourceData:
		return "SOURCE_DATA"
	case System:
		return "SYSTEM"
	}
	return "UNSPECIFIED"
}

// Error returns the class and the message for the user.
func (f *Failure) Error() string { return strings.ToLower(f.Class.String()) + ": " + f.Message }

// maxViolations is the most invalid fields that one failure lists, so that it fits into a response.
const maxViolations = 20

// Invalid returns a ConfigError for a request with these invalid fields. Its message repeats them. If there are more
// than maxViolations, the rest are only counted.
func Invalid(violations ...Violation) *Failure {
	more := len(violations) - maxViolations
	violations = violations[:min(len(violations), maxViolations)]
	parts := make([]string, len(violations))
	for i, v := range violations {
		parts[i] = v.Field + ": " + v.Description
	}
	if more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return &Failure{Class: ConfigError, Message: strings.Join(parts, "; "), Violations: violations}
}

// AsFailure returns the Failure in err, or wraps err in one of class System. Don't call it with a context error.
func AsFailure(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return &Failure{
		Class:    System,
		Message:  "The connector failed. This is a bug: please report it with the internal message.",
		Internal: err.Error(),
	}
}

// FailureIn returns the Failure in err, if there is one.
func FailureIn(err error) (*Failure, bool) { return errors.AsType[*Failure](err) }
