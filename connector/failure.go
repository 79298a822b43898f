package connector

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Failure says what went wrong, to whom it matters, and whether trying again helps. Neither Message nor Internal ever
// holds a secret or a customer's data.
type Failure struct {
	Class      Class
	Message    string // for the user: what is wrong and how to mend it
	Internal   string // for engineers: what the layers below said; may be empty
	Retryable  bool
	RetryAfter time.Duration // zero means that the caller decides
	Stream     string        // empty if it concerns all
	Account    string        // empty for the key's own account
	RequestID  string        // the source's own id of the request that failed
	HTTPStatus int           // zero if there was no answer
	SourceCode string        // the source's own code, such as "resource_missing"
	Violations []Violation   // the fields that are wrong, for Class Config
}

// Violation names one wrong field of a request.
type Violation struct {
	Field       string // path, such as "config.start_date" or "streams[2].fields[0]"
	Description string // what is wrong and how to mend it
}

// Class says who can mend a failure.
type Class int

// The classes, as the protocol names them.
const (
	ConfigError     Class = iota + 1 // the user mends the request or its configuration
	AuthError                        // the user replaces the credentials
	PermissionError                  // the user extends the credentials or leaves the stream out
	RateLimit                        // wait
	Transient                        // try again
	SourceData                       // the source sent what cannot be carried or understood
	System                           // a bug in the connector
)

// String gives the protocol's word for c.
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

// Error gives the class and the message for the user.
func (f *Failure) Error() string { return strings.ToLower(f.Class.String()) + ": " + f.Message }

// mostViolations bounds how many wrong fields one failure names, so that it fits into an answer whatever came.
const mostViolations = 20

// Invalid gives the failure of a request with these wrong fields. Its message repeats them; of very many, it names the
// first and counts the others.
func Invalid(violations ...Violation) *Failure {
	more := len(violations) - mostViolations
	violations = violations[:min(len(violations), mostViolations)]
	parts := make([]string, len(violations))
	for i, v := range violations {
		parts[i] = v.Field + ": " + v.Description
	}
	if more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return &Failure{Class: ConfigError, Message: strings.Join(parts, "; "), Violations: violations}
}

// AsFailure finds the Failure in err, or makes one of class System. Call it for errors that are not a context's own.
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

// FailureIn returns the Failure in err, and whether there is one.
func FailureIn(err error) (*Failure, bool) { return errors.AsType[*Failure](err) }
