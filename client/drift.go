package client

import (
	"cmp"
	"maps"
	"slices"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// JoinDrifts returns how the records of two Reads of a stream, taken together, differ from its schema. Either may be nil, which means
// that no record was examined. It doesn't change its arguments.
func JoinDrifts(a, b *connectorv1.Drift) *connectorv1.Drift {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	joined := &connectorv1.Drift{Examined: a.GetExamined() + b.GetExamined()}
	records := map[string]int64{}
	for _, f := range slices.Concat(a.GetNewFields(), b.GetNewFields()) {
		records[f.GetPath()] += f.GetRecords()
	}
	for _, path := range slices.Sorted(maps.Keys(records)) {
		joined.NewFields = append(joined.NewFields, &connectorv1.NewField{Path: path, Records: records[path]})
	}
	for _, name := range a.GetAbsentFields() {
		if slices.Contains(b.GetAbsentFields(), name) {
			joined.AbsentFields = append(joined.AbsentFields, name)
		}
	}
	return joined
}
