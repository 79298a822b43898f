package rawjson

// Collapse returns a compact object in which the value at a path of member names is collapsed to the id of an object, as
// Stripe sends it unless asked to expand it. Arrays on the path and at its end are transparent. A value without an id
// remains.
func Collapse(object string, path ...string) string {
	return collapse(object, path, func(value string) (string, bool) {
		if id, ok := Lookup(value, "id"); ok && value[0] == '{' {
			return id, true
		}
		return value, true
	})
}

// Remove returns a compact object without the member at a path of member names. Arrays on the path are transparent.
func Remove(object string, path ...string) string {
	return collapse(object, path, func(string) (string, bool) { return "", false })
}

// collapse replaces the values at a path, or removes their members if replace returns false.
func collapse(value string, path []string, replace func(string) (string, bool)) string {
	switch {
	case value == "" || value[0] != '{' && value[0] != '[':
		return value
	case value[0] == '[':
		elements := []byte{'['}
		for element := range Elements(value) {
			if len(elements) > 1 {
				elements = append(elements, ',')
			}
			if len(path) == 0 {
				element, _ = replace(element)
			} else {
				element = collapse(element, path, replace)
			}
			elements = append(elements, element...)
		}
		return string(append(elements, ']'))
	}
	inner, known := Lookup(value, path[0])
	if !known {
		return value
	}
	kept := true
	switch {
	case len(path) > 1:
		inner = collapse(inner, path[1:], replace)
	case inner[0] == '[':
		if _, kept = replace(inner); kept {
			inner = collapse(inner, nil, replace)
		}
	default:
		inner, kept = replace(inner)
	}
	if !kept {
		return Without(value, path[0])
	}
	return WithMember(value, path[0], inner)
}
