package family

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"math/bits"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// maxHarvest is the maximum number of bytes of records that are held until their page is complete.
const maxHarvest = 4 << 20

// Harvest holds the records of each stream that a page or a change has yielded so far.
type Harvest struct {
	Partial bool // part of it was already sent

	records   map[*selected.Stream][]connector.Record
	attempts  map[*selected.Stream][]selected.Attempt // results for items that are set aside or must be
	sent      map[*selected.Stream]map[string]bool    // keys of the records sent for streams with set-aside items
	misplaced map[*Member]misplaced                   // listed objects that don't belong to the endpoint
	pending   map[*Member]clock.Second                // creation time of a root's oldest object that can still change without an event
	bytes     int
	cause     Cause                       // zero if the objects were listed
	wanted    func(*selected.Stream) bool // selects the streams to keep records of; nil means all
}

// Cause is the event that caused a change.
type Cause struct{ EventID, EventType string }

// NewHarvest returns an empty Harvest. cause is the event that caused the change, if any. wanted selects the streams to
// keep records of; nil means all.
func NewHarvest(cause Cause, wanted func(*selected.Stream) bool) *Harvest {
	return &Harvest{
		records: map[*selected.Stream][]connector.Record{}, misplaced: map[*Member]misplaced{}, cause: cause, wanted: wanted,
		attempts: map[*selected.Stream][]selected.Attempt{}, sent: map[*selected.Stream]map[string]bool{}, pending: map[*Member]clock.Second{},
	}
}

// next returns an empty Harvest that continues h.
func (h *Harvest) next() *Harvest {
	empty := NewHarvest(h.cause, h.wanted)
	empty.Partial = true
	empty.attempts, empty.sent, empty.pending = h.attempts, h.sent, h.pending
	return empty
}

// MarkRead records that an item was read completely or is gone, so that no stream needs to set it aside.
func (h *Harvest) MarkRead(streams []*selected.Stream, t state.Item) {
	for _, s := range streams {
		if h.wants(s) && len(s.SetAside()) > 0 {
			h.attempts[s] = append(h.attempts[s], selected.Attempt{Item: t})
		}
	}
}

// SetAside records that an item couldn't be read and that streams continue without it.
func (h *Harvest) SetAside(streams []*selected.Stream, t state.Item, failure *connector.Failure) {
	for _, s := range streams {
		if h.wants(s) {
			h.attempts[s] = append(h.attempts[s], selected.Attempt{Item: t, Failure: failure})
		}
	}
}

func (h *Harvest) wants(s *selected.Stream) bool { return h.wanted == nil || h.wanted(s) }

// Replace records that the children of a parent are gone. Those that still exist are added afterwards.
func (h *Harvest) Replace(m *Member, parent string, asOf time.Time) {
	h.replace(m, parent, asOf, rawjson.List{HasMore: true})
}

// replace is like Replace, for a parent that had the children in before, and possibly others if before.HasMore is set.
func (h *Harvest) replace(m *Member, parent string, asOf time.Time, before rawjson.List) {
	for _, s := range m.Streams {
		key := s.Row.ParentRef()
		if key == "" || !h.wants(s) {
			continue
		}
		all := connector.Record{
			Data: rawjson.WithMember("{}", key, rawjson.Quote(parent)), Operation: connector.DeleteMatching, AsOf: asOf, Key: parent,
			AllRows: !before.HasMore,
		}
		for _, object := range before.Objects {
			if object.Type != s.Row.Object || object.ID == "" {
				continue
			}
			object.Raw = m.Normalize(object.Raw, table.Place{Parent: rawjson.Object{ID: parent}}, s)
			row := gone(s, object, asOf)
			row.Last, row.EventID, row.EventType = object.Raw, h.cause.EventID, h.cause.EventType
			all.Rows = append(all.Rows, row)
		}
		h.Add(s, all)
	}
}

// forget removes the records of the children of a parent.
func (h *Harvest) forget(m *Member, parent string) {
	for _, s := range m.Streams {
		key, quoted := s.Row.ParentRef(), rawjson.Quote(parent)
		h.records[s] = slices.DeleteFunc(h.records[s], func(record connector.Record) bool {
			value, _ := rawjson.Lookup(record.Data, key)
			return key != "" && value == quoted
		})
	}
}

// Remove records that an object and all its descendants are gone.
func (h *Harvest) Remove(m *Member, object rawjson.Object, asOf time.Time) {
	for _, s := range m.Streams {
		if h.wants(s) && (s.Row.Object == object.Type || object.Type == "") {
			gone := gone(s, object, asOf)
			if last := m.shown(object.Raw, s); last != gone.Data {
				gone.Last = last
			}
			h.Add(s, gone)
		}
	}
	for _, child := range m.Children {
		before := rawjson.List{HasMore: true}
		if object.Type == child.parentObject {
			before = child.embedded(object)
		}
		h.replace(child, object.ID, asOf, before)
		h.MarkRead(child.All(), state.Item{ID: object.ID, Of: child.Row.Parent})
	}
}

// gone returns the record of the deletion of an object of a stream.
func gone(s *selected.Stream, object rawjson.Object, asOf time.Time) connector.Record {
	key := rawjson.Select(s.Row.PrimaryKey()...).Append(nil, object.Raw)
	return connector.Record{Data: string(key), Operation: connector.Delete, AsOf: asOf, Key: object.ID}
}

// Keep adds the records of objects that m lists.
func (h *Harvest) Keep(m *Member, objects []rawjson.Object, at table.Place, asOf time.Time) {
	for _, object := range objects {
		if !m.isExpected(object) {
			h.misplaced[m] = misplaced{h.misplaced[m].n + 1, object.ID, object.Type}
		}
	}
	h.notePending(m, objects, asOf)
	for _, s := range m.Streams {
		if !h.wants(s) {
			continue
		}
		h.records[s] = slices.Grow(h.records[s], len(objects))
		for _, object := range objects {
			if object.Type == s.Row.Object && object.ID != "" {
				data := m.Normalize(object.Raw, at, s)
				sent := h.Add(s, connector.Record{Data: data, Operation: connector.Upsert, AsOf: asOf, Key: object.ID, Parent: at.Parent.Raw})
				s.Drift.Note(sent)
			}
		}
	}
}

// secret is the name of a member that no record has. With a client_secret, a payment can be completed
// (https://docs.stripe.com/api/payment_intents/object#payment_intent_object-client_secret).
const secret = "client_secret"

// Add adds a record to a stream, without secrets, and returns its data as sent.
func (h *Harvest) Add(s *selected.Stream, record connector.Record) (data string) {
	record.Data, record.Last = rawjson.WithoutAll(record.Data, secret), rawjson.WithoutAll(record.Last, secret)
	for i := range record.Rows {
		record.Rows[i].Last = rawjson.WithoutAll(record.Rows[i].Last, secret)
	}
	record.EventID, record.EventType = h.cause.EventID, h.cause.EventType
	h.bytes += len(record.Data) + len(record.Last)
	h.records[s] = append(h.records[s], record)
	return record.Data
}

// Hash returns a hash of the stream's records.
func (h *Harvest) Hash(seed maphash.Seed, s *selected.Stream) uint64 {
	var sum maphash.Hash
	sum.SetSeed(seed)
	for _, record := range h.records[s] {
		sum.WriteByte(byte(record.Operation))
		sum.WriteString(record.Data)
	}
	return sum.Sum64()
}

// Drop removes the records of a stream.
func (h *Harvest) Drop(s *selected.Stream) { delete(h.records, s) }

// Append adds the contents of other to h.
func (h *Harvest) Append(other *Harvest) {
	for s, records := range other.records {
		h.records[s] = append(h.records[s], records...)
	}
	for s, attempts := range other.attempts {
		h.attempts[s] = append(h.attempts[s], attempts...)
	}
	for s, keys := range other.sent {
		if h.sent[s] == nil {
			h.sent[s] = map[string]bool{}
		}
		maps.Copy(h.sent[s], keys)
	}
	for m, found := range other.misplaced {
		found.n += h.misplaced[m].n
		h.misplaced[m] = found
	}
	h.bytes += other.bytes
}

// Commit sends the records of streams as part of commit, and applies the attempts to what the streams have set aside.
func (h *Harvest) Commit(ctx context.Context, e *emit.Emitter, streams []*selected.Stream, commit emit.Commit) error {
	for _, s := range streams {
		if err := h.warnAside(ctx, s); err != nil {
			return err
		}
	}
	advance := commit.Advance
	commit.Advance = func() {
		if advance != nil {
			advance()
		}
		for _, s := range streams {
			s.Settle(h.attempts[s], h.sent[s])
		}
		for root, at := range h.pending {
			for _, s := range root.All() {
				s.NotePending(at)
			}
		}
	}
	return h.commit(ctx, e, streams, commit)
}

// send sends the records gathered so far.
func (h *Harvest) send(ctx context.Context, e *emit.Emitter, streams []*selected.Stream) error {
	return h.commit(ctx, e, streams, emit.Commit{Advance: func() {
		for _, s := range streams {
			s.Settle(nil, nil)
		}
	}})
}

func (h *Harvest) commit(ctx context.Context, e *emit.Emitter, streams []*selected.Stream, commit emit.Commit) error {
	for m, found := range h.misplaced {
		if err := m.warnMisplaced(ctx, found); err != nil {
			return err
		}
	}
	h.noteKeys(streams)
	h.project()
	for _, s := range streams {
		if records := h.records[s]; len(records) > 0 {
			commit.Batches = append(commit.Batches, emit.Batch{Stream: s.Out, Records: records})
		}
	}
	return e.Commit(ctx, commit)
}

// noteKeys records the keys of the records of streams with set-aside items, since a record may resolve one.
func (h *Harvest) noteKeys(streams []*selected.Stream) {
	for _, s := range streams {
		if len(h.records[s]) == 0 || len(s.SetAside()) == 0 {
			continue
		}
		if h.sent[s] == nil {
			h.sent[s] = map[string]bool{}
		}
		for _, record := range h.records[s] {
			if record.Operation != connector.DeleteMatching {
				h.sent[s][record.Key] = true
			}
		}
	}
}

// warnAside warns about the items that a stream newly sets aside, and ends the stream if they are too many.
func (h *Harvest) warnAside(ctx context.Context, s *selected.Stream) error {
	added, failure := s.NewlySetAside(h.attempts[s])
	if failure != nil {
		return s.Out.Fail(ctx, failure)
	}
	for _, t := range added {
		message := fmt.Sprintf("%s can't be read and was set aside. Later Reads will retry it. %s", s.NameOf(t.Item), t.Failure.Message)
		if err := s.Out.Log(ctx, connector.Warning, message); err != nil {
			return err
		}
	}
	return nil
}

// misplaced counts listed objects that belong to no stream or have no id. It names the last one.
type misplaced struct {
	n            int64
	id, typeName string
}

// warnMisplaced warns that an endpoint lists objects that belong to no stream or have no id: of the first one, and each time
// that their number has doubled.
func (m *Member) warnMisplaced(ctx context.Context, found misplaced) error {
	total := m.misplaced.Add(found.n)
	example := fmt.Sprintf("%q of type %q", found.id, found.typeName)
	if found.id == "" {
		example = fmt.Sprintf("one of type %q without an id", found.typeName)
	}
	message := fmt.Sprintf("%s lists unexpected objects, %d so far, such as %s. They are skipped.", m.Row.Path, total, example)
	for _, s := range m.All() {
		return s.Out.LogOnce(ctx, fmt.Sprint(m.Row.Path, bits.Len64(uint64(total))), connector.Warning, message)
	}
	return nil
}

// project applies the field selections. Afterwards the records of a stream share one string.
func (h *Harvest) project() {
	for s, records := range h.records {
		if s.Selection == nil {
			continue
		}
		var all []byte
		ends := make([]int, len(records))
		for i, record := range records {
			all = s.Selection.Append(all, record.Data)
			ends[i] = len(all)
			if record.Last != "" {
				records[i].Last = string(s.Selection.Append(nil, record.Last))
			}
			for n, row := range record.Rows {
				records[i].Rows[n].Last = string(s.Selection.Append(nil, row.Last))
			}
		}
		shared, start := string(all), 0
		for i, end := range ends {
			records[i].Data = shared[start:end]
			start = end
		}
	}
}
