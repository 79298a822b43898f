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

// callIDTrailer holds the id of a call, by which the operator finds its lines in the logs.
const callIDTrailer = "connector-call-id"

// principal is who makes a call. The zero value has shown no credential.
type principal struct {
	name    string   // of the token, or the subject of the certificate
	secrets []string // that it may name in a configuration; empty means all
}

// call is what the logs say of a call.
type call struct {
	id     string
	caller principal
	peer   string

	mu      sync.Mutex
	account string   // what the source calls the key and the account that are read; empty until known
	secrets []string // the names of the secrets in its configuration
}

type callKey struct{}

// withCall begins a call of caller, and returns the context of its handler.
func withCall(ctx context.Context, caller principal) context.Context {
	id := rand.Uint64() //nolint:gosec // it's no secret
	c := &call{id: fmt.Sprintf("%016x", id), caller: caller, peer: peerOf(ctx)}
	_ = grpc.SetTrailer(ctx, metadata.Pairs(callIDTrailer, c.id)) // fails outside of a call only
	return context.WithValue(ctx, callKey{}, c)
}

// callOf returns the call of a context, or nil.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// peerOf returns the address of the client of a call.
func peerOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		return p.Addr.String()
	}
	return ""
}

// mayName reports whether the caller may use a secret.
func (c *call) mayName(name string) bool {
	return c == nil || len(c.caller.secrets) == 0 || slices.Contains(c.caller.secrets, name)
}

// reads notes the account that a call reads, by the source's name for it.
func (c *call) reads(account string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.account = shortHash(account)
}

// shownAccount is how much of the source's name for an account the logs show: enough to tell accounts apart.
const shownAccount = 12

func shortHash(account string) string { return account[:min(len(account), shownAccount)] }

// uses notes a secret in the configuration of a call. The name is one that exists, so it is no key in the wrong place.
func (c *call) uses(name string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.secrets, name) {
		c.secrets = append(c.secrets, name)
	}
}

// attributes returns what the call's lines in the logs have in common.
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

// attributed is a handler that adds the attributes of the call to its lines.
type attributed struct{ slog.Handler }

// Handle writes a line.
func (a attributed) Handle(ctx context.Context, r slog.Record) error {
	if c := callOf(ctx); c != nil {
		r = r.Clone()
		r.AddAttrs(c.attributes()...)
	}
	return a.Handler.Handle(ctx, r)
}

// WithAttrs keeps the handler around the other.
func (a attributed) WithAttrs(attrs []slog.Attr) slog.Handler {
	return attributed{a.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the handler around the other.
func (a attributed) WithGroup(name string) slog.Handler { return attributed{a.Handler.WithGroup(name)} }
