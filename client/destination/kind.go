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
	// Name is the part of a destination's name before the colon.
	Name string
	// Alias is another spelling of Name, or empty.
	Alias string
	// Example is a sample destination name of this kind, for help texts and errors.
	Example string
	// Summary describes the destination in one line.
	Summary string
	// Files reports whether the part after the colon is a path.
	Files bool
	// Open opens the destination at address, the part of its name between the colon and the options.
	Open func(ctx context.Context, address string, o *Options) (client.Destination, error)
	// Check implements [Kinds.Check] for this kind. It is nil if the kind has no check.
	Check func(ctx context.Context, address string, o *Options, streams []*connectorv1.Stream) ([]client.Finding, error)
}

// Kinds are the kinds of destinations that a program supports: those whose packages it imports. Package all lists every kind
// in this module.
type Kinds []Kind

// UnknownKindError is returned for a destination name whose kind the program doesn't support.
type UnknownKindError struct{ kind, known string }

func (e *UnknownKindError) Error() string {
	return fmt.Sprintf("unknown kind of destination %q: use a name such as %s", e.kind, e.known)
}

// Examples returns one sample name per kind.
func (k Kinds) Examples() []string {
	examples := make([]string, len(k))
	for i, kind := range k {
		examples[i] = kind.Example
	}
	return examples
}

// Open opens the destination with the given name: a kind, a colon, an address, and options. The caller closes it.
//
//	sqlite:FILE?deletes=soft                 a SQLite database, with a table for each stream (package sqlite)
//	postgres://USER@HOST/DATABASE?schema=x   a PostgreSQL database, with a table for each stream (package postgres)
//	jsonl:FOLDER?compress=zstd&rotate=64MB   a folder with files of JSON Lines for each stream (package jsonl)
//
// Options begin at the last question mark, so the name of a file that contains one must end in another. Each kind's package
// documents its options.
func (k Kinds) Open(ctx context.Context, name string) (client.Destination, error) {
	return k.OpenFenced(ctx, name, nil)
}

// OpenFenced is Open for an attempt that may supersede older ones. If fence is nil, it is Open.
func (k Kinds) OpenFenced(ctx context.Context, name string, fence *Fence) (client.Destination, error) {
	kind, address, o, err := k.parse(name)
	if err != nil {
		return nil, err
	}
	o.Fence = fence
	d, err := kind.Open(ctx, address, o)
	if err != nil {
		return nil, fmt.Errorf("open destination %q: %w", Redacted(name), err)
	}
	return d, nil
}

// Check tests whether a sync of the streams into the named destination would find everything it needs. It changes nothing.
// Without streams, it tests the destination itself and the tables already in it.
//
// Problems are returned as findings. Check returns an error only if the name is invalid, the kind has no check, or ctx
// ended.
func (k Kinds) Check(ctx context.Context, name string, streams []*connectorv1.Stream) ([]client.Finding, error) {
	kind, address, o, err := k.parse(name)
	if err != nil {
		return nil, err
	}
	if kind.Check == nil {
		return nil, fmt.Errorf("destinations of kind %q can't be checked", kind.Name)
	}
	findings, err := kind.Check(ctx, address, o, streams)
	if err != nil {
		return nil, fmt.Errorf("check destination %q: %w", Redacted(name), err)
	}
	return findings, nil
}

// Validate returns an error unless name is a valid name for one of these kinds. It doesn't access the destination.
func (k Kinds) Validate(name string) error {
	_, _, _, err := k.parse(name)
	return err
}

// Resolve returns name with any relative path in it resolved against folder. Names without a path are returned unchanged.
func (k Kinds) Resolve(folder, name string) string {
	kind, path, found := strings.Cut(name, ":")
	i := k.index(kind)
	if !found || path == "" || i < 0 || !k[i].Files || filepath.IsAbs(path) || strings.HasPrefix(path, "/") {
		return name
	}
	return kind + ":" + filepath.Join(folder, path)
}

// index returns the index of the kind with this name or alias, or -1.
func (k Kinds) index(name string) int {
	return slices.IndexFunc(k, func(kind Kind) bool { return name != "" && (kind.Name == name || kind.Alias == name) })
}

// parse splits the name of a destination into its kind, address and options.
func (k Kinds) parse(name string) (Kind, string, *Options, error) {
	known := strings.Join(k.Examples(), " or ")
	scheme, rest, found := strings.Cut(name, ":")
	if !found {
		return Kind{}, "", nil, fmt.Errorf("destination %q doesn't start with a kind: use a name such as %s", Redacted(name), known)
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
		return Kind{}, "", nil, fmt.Errorf("destination %q has no path: use a name such as %s", Redacted(name), k[i].Example)
	}
	return k[i], address, o, nil
}
