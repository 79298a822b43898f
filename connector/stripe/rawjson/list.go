package rawjson

import "errors"

// Object is one object of a list.
type Object struct {
	Raw     string // compact JSON
	ID      string // empty if the object has none
	Type    string // Stripe's object type, such as "charge"
	Created int64  // Unix seconds; 0 if the object has none
}

// List is one page of a list.
type List struct {
	Objects []Object
	HasMore bool
}

// Errors for a body that is not a list of objects.
var (
	ErrEmpty   = errors.New("the body is empty")
	ErrNotList = errors.New("the body is not a list")
)

// CutCompactList cuts a list that is already valid and compact, such as one embedded in an object, like [Cutter.CutList].
func CutCompactList(list *List, page string) error {
	list.Objects, list.HasMore = list.Objects[:0], false
	if len(page) < 2 || page[0] != '{' {
		return ErrNotList
	}
	isList := false
	for i := 1; page[i] != '}'; {
		if page[i] == ',' {
			i++
		}
		nameEnd := skipString(page, i)
		name, value := page[i:nameEnd], nameEnd+1
		if name == `"data"` && page[value] == '[' {
			isList = true
			i = list.cut(page, value)
			continue
		}
		i = skipValue(page, value)
		if name == `"has_more"` {
			list.HasMore = page[value:i] == "true"
		}
	}
	if !isList {
		return ErrNotList
	}
	return nil
}

// cut appends the elements of the array that starts at s[start], and returns the index after it.
func (l *List) cut(s string, start int) int {
	i := start + 1
	for s[i] != ']' {
		if s[i] == ',' {
			i++
		}
		var object Object
		var end int
		if s[i] == '{' {
			object, end = cutObject(s, i)
		} else {
			end = skipValue(s, i)
			object.Raw = s[i:end]
		}
		l.Objects = append(l.Objects, object)
		i = end
	}
	return i + 1
}

// CutObject returns the Object for compact JSON.
func CutObject(raw string) Object {
	if raw == "" || raw[0] != '{' {
		return Object{Raw: raw}
	}
	object, _ := cutObject(raw, 0)
	return object
}

// cutObject returns the object that starts at s[start], and the index after it.
func cutObject(s string, start int) (Object, int) {
	var object Object
	i := start + 1
	for s[i] != '}' {
		if s[i] == ',' {
			i++
		}
		nameEnd := skipString(s, i)
		end := skipValue(s, nameEnd+1)
		switch value := s[nameEnd+1 : end]; s[i:nameEnd] {
		case `"id"`:
			object.ID = String(value)
		case `"object"`:
			object.Type = String(value)
		case `"created"`:
			object.Created = Int(value)
		}
		i = end
	}
	object.Raw = s[start : i+1]
	return object, i + 1
}
