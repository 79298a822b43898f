package selected

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/stripe-connector/stripe-connector/connector"
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
	examined int64
	unknown  map[string]int64 // how many of the records have a field that the schema lacks, by path; at most connector.MaxDrift
	absent   map[string]bool  // the fields that every record should have and that none has
	told     int              // the number of new fields in the last report; -1 if there was none
}

// All of the first records are examined, and then only some, because examining a record takes as long as everything else that is done
// with it.
const (
	firstExamined = 200
	thenEvery     = 50
)

// maxPath is the most bytes of a path that a Drift keeps.
const maxPath = 100

// leastExamined is the minimum number of records to examine before the log names fields that none of them has.
const leastExamined = 50

// NewDrift returns a Drift for a stream with the given fields.
func NewDrift(fields table.Fields) *Drift {
	d := &Drift{fields: fields, unknown: map[string]int64{}, absent: map[string]bool{}, told: -1}
	for _, name := range fields.Always() {
		d.absent[name] = true
	}
	return d
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
	if len(d.absent) > 0 {
		for name := range rawjson.Members(record) {
			delete(d.absent, name)
		}
	}
	found := map[string]bool{}
	d.fields.Unknown(record, func(path string) {
		if len(path) > maxPath {
			path = strings.ToValidUTF8(path[:maxPath], "") + "…"
		}
		found[path] = true
	})
	for path := range found {
		if _, known := d.unknown[path]; known || len(d.unknown) < connector.MaxDrift {
			d.unknown[path]++
		}
	}
}

// Summary returns how the records differ from the schema, or nil if none was examined.
func (d *Drift) Summary() *connector.Drift {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.summary()
}

func (d *Drift) summary() *connector.Drift {
	if d.examined == 0 {
		return nil
	}
	found := &connector.Drift{Examined: d.examined}
	for _, path := range slices.Sorted(maps.Keys(d.unknown)) {
		found.New = append(found.New, connector.NewField{Path: path, Records: d.unknown[path]})
	}
	found.Absent = slices.Sorted(maps.Keys(d.absent))
	found.Absent = found.Absent[:min(len(found.Absent), connector.MaxDrift)]
	return found
}

// Report describes how the records differ from the schema. It returns "" if they don't, or if it has described the same new
// fields before.
func (d *Drift) Report(stream, version string) string {
	if d == nil {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	found := d.summary()
	if found == nil || d.told >= len(found.New) {
		return ""
	}
	var parts []string
	if len(found.New) > 0 {
		var named []string
		for _, f := range found.New {
			named = append(named, fmt.Sprintf("%s (%d)", f.Path, f.Records))
		}
		parts = append(parts, "New fields, which the schema doesn't describe: "+hint.List(named)+".")
	}
	if len(found.Absent) > 0 && found.Examined >= leastExamined {
		parts = append(parts, "Fields of the schema that no record has: "+hint.List(found.Absent)+".")
	}
	if parts == nil {
		return ""
	}
	d.told = len(found.New)
	return fmt.Sprintf("%s differs from its schema of API version %s in the %d records examined. %s", stream, version, found.Examined, strings.Join(parts, " "))
}
