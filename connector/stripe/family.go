package stripe

import (
	"context"
	"fmt"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// harvest is what one page gives: the records of each output of its pass.
type harvest struct {
	records map[*output][]connector.Record
	strange map[*output]string // an example of what was listed and does not belong
}

// gather turns the objects of a page into the records of m and of its descendants. parentID is empty for a root.
func (h *harvest) gather(ctx context.Context, client *api.Client, m *member, objects []rawjson.Object, parentID string, asOf time.Time) error {
	if m.output != nil {
		h.keep(m.output, objects, parentID, asOf)
	}
	for _, child := range m.children {
		for _, object := range objects {
			if object.Type != m.stream.Object {
				continue
			}
			if err := h.descend(ctx, client, child, object, asOf); err != nil {
				return err
			}
		}
	}
	return nil
}

// descend gathers the children that one object carries: those embedded, then pages of those that are not.
func (h *harvest) descend(ctx context.Context, client *api.Client, child *member, parent rawjson.Object, asOf time.Time) error {
	var list rawjson.List
	embedded, ok := rawjson.Lookup(parent.Raw, child.stream.Embedded)
	if ok && rawjson.CutCompactList(&list, embedded) != nil {
		return strange(child.stream, fmt.Sprintf("%s of %s is not a list", child.stream.Embedded, parent.ID))
	}
	if !ok {
		list.HasMore = true // not embedded: all of it is listed
	}
	for {
		if err := h.gather(ctx, client, child, list.Objects, parent.ID, asOf); err != nil {
			return err
		}
		if !list.HasMore {
			return nil
		}
		path, query := child.stream.list(parent.ID)
		if n := len(list.Objects); n > 0 {
			query.Set("starting_after", list.Objects[n-1].ID)
		}
		page, err := client.List(ctx, path, query)
		if api.IsMissing(err) {
			return nil // the parent was deleted meanwhile, and its children with it
		}
		if err != nil {
			return err
		}
		if page.HasMore && len(page.Objects) == 0 {
			return strange(child.stream, fmt.Sprintf("a page of %s is empty and says that more follow", path))
		}
		list, asOf = page.List, page.AsOf
	}
}

// keep makes records of objects. Whatever is not of the stream's object type, or has no id, does not belong.
func (h *harvest) keep(out *output, objects []rawjson.Object, parentID string, asOf time.Time) {
	records := h.records[out]
	for _, object := range objects {
		if object.Type != out.stream.Object || object.ID == "" {
			h.strange[out] = fmt.Sprintf("%q of type %q", object.ID, object.Type)
			continue
		}
		raw := object.Raw
		if out.stream.ParentField != "" {
			raw = rawjson.WithMember(raw, out.stream.ParentField, rawjson.Quote(parentID))
		}
		records = append(records, connector.Record{Data: raw, Operation: connector.Upsert, AsOf: asOf, Key: object.ID})
	}
	h.records[out] = records
}

// project applies the field selections. The records of a page share one string.
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

// strange is the failure of an answer that makes no sense.
func strange(s *stream, what string) error {
	return &connector.Failure{
		Class:    connector.SourceData,
		Message:  "Stripe answered something that makes no sense. Please report it.",
		Internal: what,
		Stream:   s.Name,
	}
}
