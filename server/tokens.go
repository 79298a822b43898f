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
	"slices"
	"strings"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector"
	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Access tells who may call a service that is not the connector itself.
type Access int

// The kinds of access.
const (
	Guarded Access = iota // whoever may call the connector
	Open                  // whoever has a connection
	Closed                // nobody: it is not there
)

// Tokens are the bearer tokens that let a client in that has shown no certificate.
type Tokens struct{ current *reloaded[[]token] }

// token is one of them. Only its hash is in memory.
type token struct {
	hash    [sha256.Size]byte
	secrets []string // that its bearer may name in a configuration; empty means all
}

// tokenPattern is what RFC 6750 (section 2.1) calls a b64token, long enough that nobody guesses it.
var tokenPattern = regexp.MustCompile(`^[0-9A-Za-z._~+/-]{16,512}=*$`)

// LoadTokens reads a file of tokens: one in a line, then the names of the secrets that its bearer may use, separated by
// spaces; no names mean all secrets. Empty lines and those that begin with # are left out. The file is read again when
// its content changes.
func LoadTokens(path string, logger *slog.Logger) (*Tokens, error) {
	current, err := reload(logger, parseTokens, path)
	if err != nil {
		return nil, err
	}
	return &Tokens{current}, nil
}

// parseTokens reads the file. Its errors show nothing of the content.
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
			return nil, fmt.Errorf("line %d: a token has 16 to 512 letters, digits or any of -._~+/: make one with 'openssl rand -hex 32'", number)
		}
		for _, name := range words[1:] {
			if !secretName.MatchString(name) {
				return nil, fmt.Errorf("line %d: what follows a token are names of secrets, and one of these is none", number)
			}
		}
		tokens = append(tokens, token{hash: sha256.Sum256([]byte(words[0])), secrets: words[1:]})
	}
	if len(tokens) == 0 {
		return nil, errors.New("there is no token in it: write one in a line, made with 'openssl rand -hex 32'")
	}
	return tokens, nil
}

// find gives the token that was sent, or nil. It takes as long for any.
func (t *Tokens) find(sent string) *token {
	hash := sha256.Sum256([]byte(sent))
	tokens := t.current.get()
	at := -1
	for i := range tokens {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], tokens[i].hash[:]), i, at)
	}
	if at < 0 {
		return nil
	}
	return &tokens[at]
}

// admit lets a call in that came with a certificate or a token.
func (t *Tokens) admit(ctx context.Context) (context.Context, error) {
	if certified(ctx) {
		return ctx, nil
	}
	sent, err := auth.AuthFromMD(ctx, "bearer")
	if err != nil {
		return nil, refuse("This service asks for a bearer token: send the metadata 'authorization: Bearer TOKEN'.")
	}
	found := t.find(sent)
	if found == nil {
		return nil, refuse("This service does not know the bearer token that was sent: ask its operator for one.")
	}
	return context.WithValue(ctx, tokenKey{}, found), nil
}

func refuse(message string) error {
	return toStatus(refusalError{&connector.Failure{Class: connector.AuthError, Message: message}}, secrets{})
}

// tokenKey finds the token of a call in its context.
type tokenKey struct{}

// mayName tells whether the caller may name a secret. One without a token may name all.
func mayName(ctx context.Context, name string) bool {
	t, ok := ctx.Value(tokenKey{}).(*token)
	return !ok || len(t.secrets) == 0 || slices.Contains(t.secrets, name)
}

// guards gives what asks for tokens, where there are any.
func guards(opts Options) ([]grpc.UnaryServerInterceptor, []grpc.StreamServerInterceptor) {
	if opts.Tokens == nil {
		return nil, nil
	}
	guarded := selector.MatchFunc(func(_ context.Context, call interceptors.CallMeta) bool {
		switch call.Service {
		case connectorv1.ConnectorService_ServiceDesc.ServiceName:
			return true
		case healthv1.Health_ServiceDesc.ServiceName:
			return opts.Health == Guarded
		}
		return opts.Reflection == Guarded
	})
	return []grpc.UnaryServerInterceptor{selector.UnaryServerInterceptor(auth.UnaryServerInterceptor(opts.Tokens.admit), guarded)},
		[]grpc.StreamServerInterceptor{selector.StreamServerInterceptor(auth.StreamServerInterceptor(opts.Tokens.admit), guarded)}
}
