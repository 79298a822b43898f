package table

import (
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// Revision is a change of a row that applies from a version on.
type Revision struct {
	Since string // the version of a schema.Edition
	Apply func(*Stream)
}

// Streams returns the streams of an edition of the API, in alphabetical order.
func Streams(e schema.Edition) Table {
	var streams Table
	for _, row := range rows() {
		if e.Version < row.Since || row.Until != "" && e.Version >= row.Until {
			continue
		}
		for _, r := range row.Revised {
			if r.Since <= e.Version {
				r.Apply(&row)
			}
		}
		row.edition, row.parsed = e, new(parsedFields)
		streams = append(streams, row)
	}
	return streams
}

// Names returns the names of the streams of all editions, in alphabetical order.
func Names() []string { return rows().Names() }

// Known returns the streams of all editions, each as the newest edition that has it describes it, in alphabetical order.
func Known() Table {
	var known Table
	for _, e := range slices.Backward(schema.Editions()) {
		for _, row := range Streams(e) {
			if known.Find(row.Name) == nil {
				known = append(known, row)
			}
		}
	}
	slices.SortFunc(known, func(a, b Stream) int { return strings.Compare(a.Name, b.Name) })
	return known
}

// Editions returns the editions that have a stream, oldest first.
func Editions(name string) []schema.Edition {
	return slices.DeleteFunc(schema.Editions(), func(e schema.Edition) bool { return Streams(e).Find(name) == nil })
}
