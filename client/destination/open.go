package destination

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/jsonl"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// scheme is a kind of destination.
type scheme struct {
	name    string
	example string
	// open takes what is before the options, and takes the options that it knows. It is nil if the build leaves the kind out.
	open func(ctx context.Context, path string, o *options) (client.Destination, error)
	// check takes the same, for Check. It is nil if the kind has none.
	check func(ctx context.Context, path string, o *options, streams []*connectorv1.Stream) ([]client.Finding, error)
}

// ErrNoDatabases is what Open says of databases in a build with the tag service, which has none of their drivers.
var ErrNoDatabases = errors.New("this build has no databases: use the full one, " +
	"go install github.com/stripe-connector/stripe-connector/cmd/stripe-connector@latest")

// schemes gives every kind of destination.
func schemes() []scheme {
	jsonlOptions := func(o *options) (jsonl.Options, error) {
		opts := jsonl.Options{Compression: jsonl.Compression(o.text("compress")), Rotate: o.size("rotate")}
		return opts, o.unknown()
	}
	return append(databases(), scheme{
		name: "jsonl", example: "jsonl:folder",
		open: func(_ context.Context, path string, o *options) (client.Destination, error) {
			opts, err := jsonlOptions(o)
			if err != nil {
				return nil, err
			}
			return jsonl.Open(path, opts)
		},
		check: func(ctx context.Context, path string, o *options, _ []*connectorv1.Stream) ([]client.Finding, error) {
			opts, err := jsonlOptions(o)
			if err != nil {
				return nil, err
			}
			return jsonl.Check(ctx, path, opts)
		},
	})
}

// Examples gives one name for each kind of destination, to show to people.
func Examples() []string {
	var examples []string
	for _, s := range schemes() {
		if s.open != nil && s.name != "postgresql" { // another spelling
			examples = append(examples, s.example)
		}
	}
	return examples
}

// Open opens the destination with this name: a scheme, a colon, what the scheme takes, and options. The caller closes it.
//
//	sqlite:FILE?deletes=soft                 a SQLite database, with a table for each stream (package sqlite)
//	postgres://USER@HOST/DATABASE?schema=x   a PostgreSQL database, with a table for each stream (package postgres)
//	jsonl:FOLDER?compress=zstd&rotate=64MB   a folder with files of JSON Lines for each stream (package jsonl)
//
// Options of databases: deletes=hard (the default) removes the rows of objects that the source has no more, deletes=soft
// marks them; mode=append keeps every version of every object instead of the newest; schema is PostgreSQL's, and whatever
// else is there goes to its driver, such as sslmode=verify-full. Options of jsonl: compress=gzip or zstd, and rotate, the
// size at which a file is followed by another.
//
// In a build with the tag service, databases give [ErrNoDatabases].
//
// Options begin at the last question mark. A file whose name has one needs another at the end.
func Open(ctx context.Context, name string) (client.Destination, error) {
	s, path, o, err := find(name)
	if err != nil {
		return nil, err
	}
	d, err := s.open(ctx, path, o)
	if err != nil {
		return nil, fmt.Errorf("open destination %q: %w", Redacted(name), err)
	}
	return d, nil
}

// find returns the kind of destination that a name asks for, with the path and the options in it.
func find(name string) (scheme, string, *options, error) {
	known := strings.Join(Examples(), " or ")
	kind, path, found := strings.Cut(name, ":")
	if !found {
		return scheme{}, "", nil, fmt.Errorf("destination %q does not say of which kind it is: write it as %s", Redacted(name), known)
	}
	all := schemes()
	i := slices.IndexFunc(all, func(s scheme) bool { return s.name == kind })
	if i < 0 {
		return scheme{}, "", nil, fmt.Errorf("there is no destination of kind %q: write it as %s", kind, known)
	}
	if all[i].open == nil {
		return scheme{}, "", nil, fmt.Errorf("open destination %q: %w", Redacted(name), ErrNoDatabases)
	}
	path, o, err := parseOptions(path)
	if err != nil {
		return scheme{}, "", nil, fmt.Errorf("open destination %q: %w", Redacted(name), err)
	}
	if path == "" {
		return scheme{}, "", nil, fmt.Errorf("destination %q names no path: write it as %s", Redacted(name), all[i].example)
	}
	return all[i], path, o, nil
}

// Redacted gives the name of a destination without any password that is in it, to show to people.
func Redacted(name string) string {
	scheme, rest, found := strings.Cut(name, "://")
	if !found {
		if !strings.HasPrefix(name, "postgres") {
			return name
		}
		kind, _, _ := strings.Cut(name, ":")
		return kind + ":…" // of a form that tells nothing of where a password is
	}
	before, query, _ := strings.Cut(rest, "?")
	if strings.ContainsRune(query, '@') { // what is before it may belong to a password that isn't escaped
		return scheme + "://…"
	}
	at := strings.LastIndexByte(before, '@') // a password may have one, too
	if at >= 0 {
		user, _, _ := strings.Cut(rest[:at], ":")
		rest = user + rest[at:]
	}
	path, query, found := strings.Cut(rest, "?")
	if !found {
		return scheme + "://" + rest
	}
	var shown []string
	for option := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(option, "=")
		if slices.Contains([]string{"schema", "deletes", "mode", "sslmode", "host", "port", "user", "dbname"}, key) {
			shown = append(shown, option)
		}
	}
	if shown != nil {
		path += "?" + strings.Join(shown, "&")
	}
	return scheme + "://" + path
}
