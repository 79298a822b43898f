package server

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// callIDTrailer is the trailer with the id of a call, which also appears in each of its log lines.
const callIDTrailer = "connector-call-id"

// principal is the authenticated caller of a call. The zero value is a caller without a credential.
type principal struct {
	name    string   // the name that belongs to the token, or the subject of the certificate
	secrets []string // names of the secrets that its configurations may use; empty means all
}

// call holds the attributes that the logs show for a call.
type call struct {
	id     string
	caller principal
	peer   string

	mu      sync.Mutex
	account string   // short hash of the source's name for the key and account; empty until known
	secrets []string // names of the secrets used by its configuration
}

type callKey struct{}

// withCall returns a context for a new call by caller, and sends the id of the call in a trailer.
func withCall(ctx context.Context, caller principal) context.Context {
	id := rand.Uint64() //nolint:gosec // it's no secret
	c := &call{id: fmt.Sprintf("%016x", id), caller: caller, peer: peerOf(ctx)}
	_ = grpc.SetTrailer(ctx, metadata.Pairs(callIDTrailer, c.id)) // fails only outside of a call
	return context.WithValue(ctx, callKey{}, c)
}

// callOf returns the call in ctx, or nil.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// peerOf returns the address of the client, or "" if unknown.
func peerOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		return p.Addr.String()
	}
	return ""
}

// mayUse reports whether the caller may use the named secret.
func (c *call) mayUse(name string) bool {
	return c == nil || len(c.caller.secrets) == 0 || slices.Contains(c.caller.secrets, name)
}

// setAccount records the account that a call reads, as the source names it.
func (c *call) setAccount(account string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.account = shortHash(account)
}

// shownAccount is how many characters of the source's name for an account the logs show, enough to distinguish accounts.
const shownAccount = 12

func shortHash(account string) string { return account[:min(len(account), shownAccount)] }

// addSecret records that the call's configuration uses a secret. Only names of existing secrets get here, so name can be logged:
// it is not a key in the wrong place.
func (c *call) addSecret(name string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.secrets, name) {
		c.secrets = append(c.secrets, name)
	}
}

// attributes returns the attributes of each of the call's log lines.
func (c *call) attributes() []slog.Attr {
	c.mu.Lock()
	defer c.mu.Unlock()
	attributes := []slog.Attr{slog.String("call_id", c.id), slog.String("peer.address", c.peer)}
	if c.caller.name != "" {
		attributes = append(attributes, slog.String("caller", c.caller.name))
	}
	if c.account != "" {
		attributes = append(attributes, slog.String("account_key", c.account))
	}
	if len(c.secrets) > 0 {
		attributes = append(attributes, slog.Any("secrets", slices.Clone(c.secrets)))
	}
	return attributes
}

// attributed is a handler that adds the attributes of the call in the context to each record.
type attributed struct{ slog.Handler }

// Handle implements [slog.Handler].
func (a attributed) Handle(ctx context.Context, r slog.Record) error {
	if c := callOf(ctx); c != nil {
		r = r.Clone()
		r.AddAttrs(c.attributes()...)
	}
	return a.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (a attributed) WithAttrs(attrs []slog.Attr) slog.Handler {
	return attributed{a.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (a attributed) WithGroup(name string) slog.Handler { return attributed{a.Handler.WithGroup(name)} }
