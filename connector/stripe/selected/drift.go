package selected

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/stripe-connector/stripe-connector/connector/stripe/hint"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Drift compares the records of a stream with its schema. Stripe adds fields without a new API version
// (https://docs.stripe.com/upgrades#what-changes-does-stripe-consider-to-be-backward-compatible); they are in the records, but no
// schema describes them. It is safe for concurrent use, and a nil Drift does nothing.
type Drift struct {
	fields  table.Fields
	records atomic.Int64

	mu       sync.Mutex
	examined int
	unknown  map[string]int  // how many of the records have a field that the schema lacks, by path
	seen     map[string]bool // the names of fields that a record has
}

// All of the first records are examined, and then only some, because examining a record takes as long as everything else that is done
// with it.
const (
	firstExamined = 200
	thenEvery     = 50
)

// leastExamined is the minimum number of records to examine before fields that none of them has are reported.
const leastExamined = 50

// NewDrift returns a Drift for a stream with the given fields.
func NewDrift(fields table.Fields) *Drift {
	return &Drift{fields: fields, unknown: map[string]int{}, seen: map[string]bool{}}
}

// Note counts a record, and examines it if it is among the first or the next one due.
func (d *Drift) Note(record string) {
	if d == nil {
		return
	}
	if n := d.records.Add(1); n > firstExamined && n%thenEvery != 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.examined++
	for name := range rawjson.Members(record) {
		if !d.seen[name] {
			d.seen[strings.Clone(name)] = true // a substring would keep the whole page in memory
		}
	}
	found := map[string]bool{}
	d.fields.Unknown(record, func(path string) { found[path] = true })
	for path := range found {
		d.unknown[path]++
	}
}

// Report describes how the records differ from the schema, or returns "" if they don't.
func (d *Drift) Report(stream, version string) string {
	if d == nil {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var parts []string
	if len(d.unknown) > 0 {
		var named []string
		for _, path := range slices.Sorted(maps.Keys(d.unknown)) {
			named = append(named, fmt.Sprintf("%s (%d)", path, d.unknown[path]))
		}
		parts = append(parts, "New fields, which the schema doesn't describe: "+hint.List(named)+".")
	}
	absent := slices.DeleteFunc(d.fields.Always(), func(name string) bool { return d.seen[name] })
	if len(absent) > 0 && d.examined >= leastExamined {
		parts = append(parts, "Fields of the schema that no record has: "+hint.List(absent)+".")
	}
	if parts == nil {
		return ""
	}
	return fmt.Sprintf("%s differs from its schema of API version %s in the %d records examined. %s", stream, version, d.examined, strings.Join(parts, " "))
}
