package stripe

import (
	"fmt"
	"hash/maphash"
	"slices"
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
	partial bool               // some was sent already
	event   string             // the id of the event that caused it all; empty if it was listed
	wanted  func(*output) bool // which outputs to keep records of; nil for all
}

func newHarvest(event string) *harvest {
	return &harvest{records: map[*output][]connector.Record{}, strange: map[*member]string{}, event: event}
}

// next gives an empty harvest of the same kind.
func (h *harvest) next() *harvest {
	empty := newHarvest(h.event)
	empty.wanted, empty.partial = h.wanted, true
	return empty
}

func (h *harvest) wants(out *output) bool { return h.wanted == nil || h.wanted(out) }

// replace adds that the children of a parent are gone, of whom those that are still there follow.
func (h *harvest) replace(m *member, parent string, asOf time.Time) {
	for _, out := range m.outputs {
		key := out.stream.parentKey()
		if key == "" || !h.wants(out) {
			continue
		}
		h.add(out, connector.Record{
			Data: rawjson.WithMember("{}", key, rawjson.Quote(parent)), Operation: connector.DeleteMatching, AsOf: asOf, Key: parent,
		})
	}
}

// remove adds that an object of an output is gone.
func (h *harvest) remove(out *output, raw, id string, asOf time.Time) {
	key := rawjson.Select(out.stream.primaryKey()...).Append(nil, raw)
	h.add(out, connector.Record{Data: string(key), Operation: connector.Delete, AsOf: asOf, Key: id})
}

// sum is a hash of what there is of an output.
func (h *harvest) sum(seed maphash.Seed, out *output) uint64 {
	var sum maphash.Hash
	sum.SetSeed(seed)
	for _, record := range h.records[out] {
		sum.WriteByte(byte(record.Operation))
		sum.WriteString(record.Data)
	}
	return sum.Sum64()
}

// append adds what another harvest gave.
func (h *harvest) append(other *harvest) {
	for out, records := range other.records {
		h.records[out] = append(h.records[out], records...)
	}
	for m, example := range other.strange {
		h.strange[m] = example
	}
	h.bytes += other.bytes
}

func (h *harvest) add(out *output, record connector.Record) {
	record.EventID = h.event
	h.bytes += len(record.Data)
	h.records[out] = append(h.records[out], record)
}

// keep makes records of objects that m lists.
func (h *harvest) keep(m *member, objects []rawjson.Object, at place, asOf time.Time) {
	for _, object := range objects {
		if !m.belongs(object) {
			h.strange[m] = fmt.Sprintf("%q of type %q", object.ID, object.Type)
		}
	}
	for _, out := range m.outputs {
		if !h.wants(out) {
			continue
		}
		h.records[out] = slices.Grow(h.records[out], len(objects))
		for _, object := range objects {
			if object.Type == out.stream.Object && object.ID != "" {
				h.add(out, connector.Record{Data: complete(m, object.Raw, at), Operation: connector.Upsert, AsOf: asOf, Key: object.ID})
			}
		}
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
