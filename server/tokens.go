package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Access specifies who may call the health or reflection service.
type Access int

// The kinds of access.
const (
	Guarded Access = iota // callers of the connector
	Open                  // anyone who can connect
	Closed                // nobody: the service is not registered
)

// Tokens are the bearer tokens that authenticate clients without a certificate. They are safe for concurrent use.
type Tokens struct{ current *reloaded[[]token] }

// token is a bearer token, of which only the hash is kept in memory, and its bearer.
type token struct {
	hash [sha256.Size]byte
	principal
}

// tokenPattern matches a b64token (RFC 6750, section 2.1) that is long enough not to be guessed.
var tokenPattern = regexp.MustCompile(`^[0-9A-Za-z._~+/-]{16,512}=*$`)

// callerName matches the names allowed in caller=NAME.
var callerName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._@-]{0,63}$`)

// LoadTokens loads a file with one token per line. The token may be followed, separated by spaces, by
//
//   - the name of its bearer in the logs, as in caller=billing; by default, the logs show the line number;
//   - the names of the secrets that the bearer may use; by default, the bearer may use all of them.
//
// Empty lines and lines that begin with # are skipped. The file is reloaded when it changes.
func LoadTokens(path string, logger *slog.Logger) (*Tokens, error) {
	current, err := reload(logger, parseTokens, path)
	if err != nil {
		return nil, err
	}
	return &Tokens{current}, nil
}

// parseTokens parses the file. Its errors never quote the content.
func parseTokens(contents [][]byte) ([]token, error) {
	var tokens []token
	number := 0
	for line := range bytes.Lines(contents[0]) {
		number++
		words := strings.Fields(string(line))
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if !tokenPattern.MatchString(words[0]) {
			return nil, fmt.Errorf("line %d: a token must have 16 to 512 letters, digits or any of -._~+/: create one with 'openssl rand -hex 32'", number)
		}
		bearer, err := parseBearer(words[1:])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if bearer.name == "" {
			bearer.name = fmt.Sprintf("line %d", number)
		}
		tokens = append(tokens, token{sha256.Sum256([]byte(words[0])), bearer})
	}
	if len(tokens) == 0 {
		return nil, errors.New("contains no token: add one on a line of its own, created with 'openssl rand -hex 32'")
	}
	return tokens, nil
}

// parseBearer parses the words that follow a token.
func parseBearer(words []string) (principal, error) {
	var p principal
	for _, word := range words {
		name, labelled := strings.CutPrefix(word, "caller=")
		switch {
		case labelled && p.name == "" && callerName.MatchString(name):
			p.name = name
		case labelled:
			return p, errors.New("caller=NAME must occur once, with a NAME of at most 64 letters, digits or any of -._@")
		case secretName.MatchString(word):
			p.secrets = append(p.secrets, word)
		default:
			return p, errors.New("a token may only be followed by caller=NAME and names of secrets")
		}
	}
	return p, nil
}

// find returns the token that matches sent, or nil if none does. The time it takes does not depend on sent. It fails if the
// file has been unusable for too long.
func (t *Tokens) find(sent string) (*token, error) {
	hash := sha256.Sum256([]byte(sent))
	tokens, err := t.current.get()
	at := -1
	for i := range tokens {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], tokens[i].hash[:]), i, at)
	}
	if err != nil || at < 0 {
		return nil, err
	}
	return &tokens[at], nil
}

// authenticate returns the caller of a call, identified by a verified certificate or a bearer token. If t is nil, it admits
// everyone.
func (t *Tokens) authenticate(ctx context.Context) (principal, error) {
	if subject, ok := certified(ctx); ok {
		return principal{name: subject}, nil
	}
	if t == nil {
		return principal{}, nil
	}
	sent, err := auth.AuthFromMD(ctx, "bearer")
	if err != nil {
		return principal{}, refuse("This service requires a bearer token: send the metadata 'authorization: Bearer TOKEN'.")
	}
	found, err := t.find(sent)
	switch {
	case err != nil: // already logged
		return principal{}, toStatus(&connector.Failure{
			Class: connector.Transient, Retryable: true,
			Message: "This service cannot read its token file and accepts no calls until it can: ask its operator to check the log.",
		}, secrets{})
	case found == nil:
		return principal{}, refuse("This service does not know the bearer token: ask its operator for a valid one.")
	}
	return found.principal, nil
}

func refuse(message string) error {
	return toStatus(refusalError{&connector.Failure{Class: connector.AuthError, Message: message}}, secrets{})
}
