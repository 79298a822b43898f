package client

import (
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// selectStreams gives the streams of the catalog with these names, in the order of the names; all of them if there is no
// name.
func selectStreams(catalog []*connectorv1.Stream, names []string) ([]*connectorv1.Stream, error) {
	if len(names) == 0 {
		return catalog, nil
	}
	byName := make(map[string]*connectorv1.Stream, len(catalog))
	known := make([]string, 0, len(catalog))
	for _, s := range catalog {
		byName[s.GetName()] = s
		known = append(known, s.GetName())
	}
	var selected []*connectorv1.Stream
	var violations []*connectorv1.FieldViolation
	for i, name := range names {
		field := fmt.Sprintf("streams[%d]", i)
		switch {
		case slices.Contains(names[:i], name):
			violations = append(violations, &connectorv1.FieldViolation{
				Field: field, Description: fmt.Sprintf("%q is selected twice. Name each stream once.", name)})
		case byName[name] == nil:
			violations = append(violations, &connectorv1.FieldViolation{
				Field: field, Description: fmt.Sprintf("There is no stream %q. Did you mean %q? Discover lists all %d.",
					name, nearest(name, known), len(known))})
		default:
			selected = append(selected, byName[name])
		}
	}
	if violations != nil {
		return nil, &Error{Code: codes.InvalidArgument, Failure: &connectorv1.Failure{
			Class:      connectorv1.FailureClass_FAILURE_CLASS_CONFIG,
			Message:    "The selection of streams is wrong.",
			Violations: violations,
		}}
	}
	return selected, nil
}

// configure asks for each stream in the best mode that it supports: only what changed, if it can tell.
func configure(streams []*connectorv1.Stream) []*connectorv1.ConfiguredStream {
	configured := make([]*connectorv1.ConfiguredStream, len(streams))
	for i, s := range streams {
		mode := connectorv1.SyncMode_SYNC_MODE_FULL_REFRESH
		if slices.Contains(s.GetSupportedSyncModes(), connectorv1.SyncMode_SYNC_MODE_INCREMENTAL) {
			mode = connectorv1.SyncMode_SYNC_MODE_INCREMENTAL
		}
		configured[i] = &connectorv1.ConfiguredStream{Stream: s.GetName(), SyncMode: mode}
	}
	return configured
}

// nearest gives the known name that takes the fewest edits to become name; empty if none is known.
func nearest(name string, known []string) string {
	best, fewest := "", 0
	for _, k := range known {
		if n := edits(name, k); best == "" || n < fewest {
			best, fewest = k, n
		}
	}
	return best
}

// edits counts the bytes to insert, remove or replace to make b of a (Levenshtein's distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
