package destination

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/jsonl"
	"github.com/stripe-connector/stripe-connector/client/destination/sqlite"
)

// scheme is a kind of destination.
type scheme struct {
	name    string
	example string
	open    func(ctx context.Context, path string) (client.Destination, error)
}

// schemes gives every kind of destination.
func schemes() []scheme {
	return []scheme{
		{"sqlite", "sqlite:stripe.db", func(ctx context.Context, path string) (client.Destination, error) {
			return sqlite.Open(ctx, path)
		}},
		{"jsonl", "jsonl:folder", func(_ context.Context, path string) (client.Destination, error) {
			return jsonl.Open(path)
		}},
	}
}

// Examples gives one name for each kind of destination, to show to people.
func Examples() []string {
	var examples []string
	for _, s := range schemes() {
		examples = append(examples, s.example)
	}
	return examples
}

// Open opens the destination with this name: a scheme, a colon, and what the scheme takes. The caller closes it.
//
//	sqlite:FILE   a SQLite database, with a table for each stream (package sqlite)
//	jsonl:FOLDER  a folder with a file of JSON Lines for each stream (package jsonl)
func Open(ctx context.Context, name string) (client.Destination, error) {
	known := strings.Join(Examples(), " or ")
	kind, path, found := strings.Cut(name, ":")
	if !found {
		return nil, fmt.Errorf("destination %q does not say of which kind it is: write it as %s", name, known)
	}
	all := schemes()
	i := slices.IndexFunc(all, func(s scheme) bool { return s.name == kind })
	if i < 0 {
		return nil, fmt.Errorf("there is no destination of kind %q: write it as %s", kind, known)
	}
	if path == "" {
		return nil, fmt.Errorf("destination %q names no path: write it as %s", name, all[i].example)
	}
	d, err := all[i].open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open destination %q: %w", name, err)
	}
	return d, nil
}
