package table

import (
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// Found returns the stream's objects in a value that is not a list: an object, an array of objects, or null. An object without
// an id gets one for the duration of the Read: the parent's id, or else the object type.
func (s *Stream) Found(value string, parent rawjson.Object) []rawjson.Object {
	values := []string{value}
	if strings.HasPrefix(value, "[") {
		values = values[:0]
		for element := range rawjson.Elements(value) {
			values = append(values, element)
		}
	}
	var objects []rawjson.Object
	for _, raw := range values {
		object := rawjson.CutObject(raw)
		switch {
		case object.Type == "": // null, or the id of an object that is not expanded
			continue
		case s.Rows != nil:
			objects = append(objects, s.Rows(object)...)
			continue
		case object.ID == "" && parent.ID != "":
			object.ID = parent.ID
		case object.ID == "":
			object.ID = object.Type
		}
		objects = append(objects, object)
	}
	return objects
}

// balanceRows returns the amounts of a balance, one for each kind and currency. Their order and number vary, so an object of
// arrays would have no stable key to join on.
func balanceRows(balance rawjson.Object) []rawjson.Object {
	var rows []rawjson.Object
	livemode, _ := rawjson.Lookup(balance.Raw, "livemode")
	for kind, amounts := range balanceKinds(balance.Raw, "") {
		for amount := range rawjson.Elements(amounts) {
			currency, _ := rawjson.Lookup(amount, "currency")
			raw := rawjson.WithMember(amount, "kind", rawjson.Quote(kind))
			raw = rawjson.WithMember(raw, "livemode", livemode)
			raw = rawjson.WithMember(raw, "object", rawjson.Quote(balance.Type))
			rows = append(rows, rawjson.Object{Raw: raw, ID: kind + " " + rawjson.String(currency), Type: balance.Type})
		}
	}
	return rows
}

// balanceKinds returns the arrays of amounts in a balance by kind: "available", or "issuing.available" for one inside a nested
// object.
func balanceKinds(object, above string) func(yield func(kind, amounts string) bool) {
	return func(yield func(kind, amounts string) bool) {
		for name, value := range rawjson.Members(object) {
			switch {
			case strings.HasPrefix(value, "["):
				if !yield(above+name, value) {
					return
				}
			case strings.HasPrefix(value, "{") && above == "":
				for kind, amounts := range balanceKinds(value, name+".") {
					if !yield(kind, amounts) {
						return
					}
				}
			}
		}
	}
}

// balanceRowSchema returns the schema of an amount: the properties of amounts of all kinds, plus those added by balanceRows.
func balanceRowSchema(balance schema.Schema) schema.Schema {
	properties, _ := rawjson.Lookup(string(balance.JSON), "properties")
	row := "{}"
	for _, name := range []string{"livemode", "object"} {
		value, _ := rawjson.Lookup(properties, name)
		row = rawjson.WithMember(row, name, value)
	}
	kinds := ""
	add := func(kind, property string) bool {
		amount, isArray := rawjson.Lookup(property, "items", "properties")
		if !isArray {
			return false
		}
		kinds += "," + rawjson.Quote(kind)
		for name, value := range rawjson.Members(amount) {
			row = rawjson.WithMember(row, name, value)
		}
		return true
	}
	for name, property := range rawjson.Members(properties) {
		if add(name, property) {
			continue
		}
		below, _ := rawjson.Lookup(property, "properties")
		for inner, value := range rawjson.Members(below) {
			add(name+"."+inner, value)
		}
	}
	row = rawjson.WithMember(row, "kind", `{"type":"string","examples":[`+strings.TrimPrefix(kinds, ",")+`]}`)
	balance.JSON = []byte(rawjson.WithMember(string(balance.JSON), "properties", row))
	return balance
}
