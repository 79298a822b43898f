package changes

import (
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// childrenBefore returns the children that the changed object had before, as far as its events show them. An event that reports
// an update shows the previous values of the attributes that changed, lists included
// (https://docs.stripe.com/api/events/object#event_object-data-previous_attributes).
func (c *change) childrenBefore(child *family.Member, parent string) rawjson.List {
	before := rawjson.List{HasMore: true}
	if c.role != ownObject || parent != c.id || child.ParentObject() != c.newest().About.Type || child.Row.Embedded == "" || child.Row.Inline {
		return before
	}
	known := false
	for _, e := range c.all {
		if !strings.HasSuffix(e.Kind, ".updated") {
			continue // it comes with an update if an attribute changed
		}
		before.HasMore = before.HasMore && known // until the first update, nothing is known
		known = true
		e.addPrevious(&before, child.Row.EmbeddedPath())
	}
	return before
}

// addPrevious adds the objects that a list in the event's object had before. If there may have been others, it sets HasMore.
func (e *Event) addPrevious(before *rawjson.List, path []string) {
	data, _ := rawjson.Lookup(e.Raw, "data")
	previous, ok := rawjson.Lookup(data, "previous_attributes")
	if _, changed := rawjson.Lookup(previous, path[0]); ok && !changed {
		return // the same as now
	}
	list, _ := rawjson.Lookup(previous, path...)
	objects, ok := rawjson.Lookup(list, "data")
	for object := range rawjson.Elements(objects) {
		before.Objects = append(before.Objects, rawjson.CutObject(object))
	}
	more, shown := rawjson.Lookup(list, "has_more")
	if !shown { // the same as now
		now, _ := rawjson.Lookup(e.About.Raw, path...)
		more, _ = rawjson.Lookup(now, "has_more")
	}
	before.HasMore = before.HasMore || !ok || more != "false"
}
