package jsonl

import (
	"context"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Kind returns the kind of destinations named jsonl:FOLDER. Its options are:
//
//   - compress: gzip or zstd
//   - rotate: the size at which a file is followed by another, such as 64MB
func Kind() destination.Kind {
	options := func(o *destination.Options) (Options, error) {
		opts := Options{Compression: Compression(o.Text("compress")), Rotate: o.Size("rotate")}
		return opts, o.Done()
	}
	return destination.Kind{
		Name: "jsonl", Example: "jsonl:folder", Summary: "a folder with JSON Lines files", Files: true,
		Open: func(_ context.Context, folder string, o *destination.Options) (client.Destination, error) {
			opts, err := options(o)
			if err != nil {
				return nil, err
			}
			return Open(folder, opts)
		},
		Check: func(ctx context.Context, folder string, o *destination.Options, _ []*connectorv1.Stream) ([]client.Finding, error) {
			opts, err := options(o)
			if err != nil {
				return nil, err
			}
			return Check(ctx, folder, opts)
		},
	}
}
