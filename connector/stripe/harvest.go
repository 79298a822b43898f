package stripe

import (
	"fmt"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// maxHarvest is how many bytes of records wait for the rest of their page.
const maxHarvest = 4 << 20

// harvest is what a page gave so far: the records of each output of its pass.
type harvest struct {
	records map[*output][]connector.Record
	strange map[*member]string // an example of what was listed and does not belong
	bytes   int
}

func newHarvest() *harvest {
	return &harvest{records: map[*output][]connector.Record{}, strange: map[*member]string{}}
}

// keep makes records of objects that m lists.
func (h *harvest) keep(m *member, objects []rawjson.Object, at place, asOf time.Time) {
	for _, object := range objects {
		if !m.belongs(object) {
			h.strange[m] = fmt.Sprintf("%q of type %q", object.ID, object.Type)
		}
	}
	for _, out := range m.outputs {
		records := h.records[out]
		for _, object := range objects {
			if object.Type != out.stream.Object || object.ID == "" {
				continue
			}
			raw := complete(m, object.Raw, at)
			h.bytes += len(raw)
			records = append(records, connector.Record{Data: raw, Operation: connector.Upsert, AsOf: asOf, Key: object.ID})
		}
		h.records[out] = records
	}
}

// complete gives an object the shape that it always has: with its parent's id, and without what was expanded for the
// sake of its children.
func complete(m *member, raw string, at place) string {
	if field := m.stream.ParentField; field != "" {
		raw = rawjson.WithMember(raw, field, rawjson.Quote(at.parent.ID))
	}
	if field := m.stream.AcrossField; field != "" {
		raw = rawjson.WithMember(raw, field, rawjson.Quote(at.across))
	}
	for _, child := range m.children {
		if child.stream.Expand {
			raw = rawjson.Without(raw, strings.Split(child.stream.Embedded, ".")...)
		}
	}
	return raw
}

// project applies the field selections. The records of an output share one string afterwards.
func (h *harvest) project() {
	for out, records := range h.records {
		if out.selection == nil {
			continue
		}
		var all []byte
		ends := make([]int, len(records))
		for i, record := range records {
			all = out.selection.Append(all, record.Data)
			ends[i] = len(all)
		}
		shared, start := string(all), 0
		for i, end := range ends {
			records[i].Data = shared[start:end]
			start = end
		}
	}
}
