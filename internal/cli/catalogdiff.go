package cli

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// printDiff prints what changed since the catalog in a file was written.
func (a *app) printDiff(path string, now []*connectorv1.Stream) error {
	content, err := a.readFile(path)
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	var before connectorv1.DiscoverResponse
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(content, &before); err != nil || len(before.GetStreams()) == 0 {
		return fmt.Errorf("the catalog in %s is not the output of discover", path)
	}
	text, err := catalogDiff(before.GetStreams(), now)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(a.stdout, text)
	return err
}

// catalogDiff describes what changed from one catalog to another, stream by stream.
func catalogDiff(before, now []*connectorv1.Stream) (string, error) {
	find := func(streams []*connectorv1.Stream, name string) *connectorv1.Stream {
		i := slices.IndexFunc(streams, func(s *connectorv1.Stream) bool { return s.GetName() == name })
		if i < 0 {
			return nil
		}
		return streams[i]
	}
	var b strings.Builder
	for _, old := range before {
		if find(now, old.GetName()) == nil {
			fmt.Fprintf(&b, "%s: the stream is gone\n", old.GetName())
		}
	}
	for _, young := range now {
		old := find(before, young.GetName())
		if old == nil {
			fmt.Fprintf(&b, "%s: the stream is new\n", young.GetName())
			continue
		}
		if !slices.Equal(old.GetPrimaryKey(), young.GetPrimaryKey()) {
			fmt.Fprintf(&b, "%s: the primary key is %s, and was %s\n", young.GetName(), strings.Join(young.GetPrimaryKey(), ", "), strings.Join(old.GetPrimaryKey(), ", "))
		}
		d, err := compareSchemas(old, young)
		if err != nil {
			return "", fmt.Errorf("compare %s: %w", young.GetName(), err)
		}
		describe(&b, young.GetName(), d)
	}
	if b.Len() == 0 {
		return "The catalogs have the same streams and fields.\n", nil
	}
	return b.String(), nil
}

func compareSchemas(before, now *connectorv1.Stream) (table.Difference, error) {
	old, err := protojson.Marshal(before.GetJsonSchema())
	if err != nil {
		return table.Difference{}, err
	}
	young, err := protojson.Marshal(now.GetJsonSchema())
	if err != nil {
		return table.Difference{}, err
	}
	return table.CompareSchemas(old, young)
}
