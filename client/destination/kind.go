package destination

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Kind is a kind of destination, such as SQLite files. Each package below this one has a function Kind that returns its own.
type Kind struct {
	// Name stands before the colon in the name of a destination.
	Name string
	// Alias is another spelling of Name, or empty.
	Alias string
	// Example is the name of a destination of this kind, to show to people.
	Example string
	// Summary says in a line what the destination is.
	Summary string
	// Files reports whether what follows the colon is a path.
	Files bool
	// Open opens the destination at an address: what stands between the colon and the options.
	Open func(ctx context.Context, address string, o *Options) (client.Destination, error)
	// Check is described at [Kinds.Check]. It is nil if the kind has no check.
	Check func(ctx context.Context, address string, o *Options, streams []*connectorv1.Stream) ([]client.Finding, error)
}

// Kinds are the kinds of destinations that a program has: those whose packages it imports. Package all has every kind of this
// module.
type Kinds []Kind

// UnknownKindError is the error of a name that asks for a kind that the program doesn't have.
type UnknownKindError struct{ kind, known string }

func (e *UnknownKindError) Error() string {
	return fmt.Sprintf("there is no destination of kind %q: write it as %s", e.kind, e.known)
}

// Examples returns one name for each kind.
func (k Kinds) Examples() []string {
	examples := make([]string, len(k))
	for i, kind := range k {
		examples[i] = kind.Example
	}
	return examples
}

// Open opens the destination with this name: a kind, a colon, an address, and options. The caller closes it.
//
//	sqlite:FILE?deletes=soft                 a SQLite database, with a table for each stream (package sqlite)
//	postgres://USER@HOST/DATABASE?schema=x   a PostgreSQL database, with a table for each stream (package postgres)
//	jsonl:FOLDER?compress=zstd&rotate=64MB   a folder with files of JSON Lines for each stream (package jsonl)
//
// Options begin at the last question mark. A file whose name has one needs another at the end. Each kind's package lists
// its options.
func (k Kinds) Open(ctx context.Context, name string) (client.Destination, error) {
	kind, address, o, err := k.parse(name)
	if err != nil {
		return nil, err
	}
	d, err := kind.Open(ctx, address, o)
	if err != nil {
		return nil, fmt.Errorf("open destination %q: %w", Redacted(name), err)
	}
	return d, nil
}

// Check tests whether a sync of these streams into the destination with this name would find everything that it needs,
// and changes nothing. Without streams it tests the destination itself and the tables that it holds already.
//
// What a sync would stumble over is a finding. The error is nil unless the name names no destination, the kind has no
// check, or ctx ended.
func (k Kinds) Check(ctx context.Context, name string, streams []*connectorv1.Stream) ([]client.Finding, error) {
	kind, address, o, err := k.parse(name)
	if err != nil {
		return nil, err
	}
	if kind.Check == nil {
		return nil, fmt.Errorf("a destination of kind %q has no check", kind.Name)
	}
	findings, err := kind.Check(ctx, address, o, streams)
	if err != nil {
		return nil, fmt.Errorf("check destination %q: %w", Redacted(name), err)
	}
	return findings, nil
}

// Known returns an error unless the name is that of a destination of one of these kinds. It doesn't look at the destination.
func (k Kinds) Known(name string) error {
	_, _, _, err := k.parse(name)
	return err
}

// In returns the name of a destination with a relative path in it taken from folder. Names without a path stay as they are.
func (k Kinds) In(folder, name string) string {
	kind, path, found := strings.Cut(name, ":")
	i := k.index(kind)
	if !found || path == "" || i < 0 || !k[i].Files || filepath.IsAbs(path) || strings.HasPrefix(path, "/") {
		return name
	}
	return kind + ":" + filepath.Join(folder, path)
}

// index returns the position of the kind with this name, or -1.
func (k Kinds) index(name string) int {
	return slices.IndexFunc(k, func(kind Kind) bool { return name != "" && (kind.Name == name || kind.Alias == name) })
}

// parse returns the kind, the address and the options in the name of a destination.
func (k Kinds) parse(name string) (Kind, string, *Options, error) {
	known := strings.Join(k.Examples(), " or ")
	scheme, rest, found := strings.Cut(name, ":")
	if !found {
		return Kind{}, "", nil, fmt.Errorf("destination %q does not say of which kind it is: write it as %s", Redacted(name), known)
	}
	i := k.index(scheme)
	if i < 0 {
		return Kind{}, "", nil, &UnknownKindError{scheme, known}
	}
	address, o, err := parseOptions(rest)
	if err != nil {
		return Kind{}, "", nil, fmt.Errorf("open destination %q: %w", Redacted(name), err)
	}
	if address == "" {
		return Kind{}, "", nil, fmt.Errorf("destination %q names no path: write it as %s", Redacted(name), k[i].Example)
	}
	return k[i], address, o, nil
}
