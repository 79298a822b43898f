package rawjson

import "strings"

// WithoutAll returns a compact value without the members of a name, at any depth.
func WithoutAll(value, name string) string {
	member := Quote(name) + ":"
	at := strings.Index(value, member)
	if at < 0 {
		return value
	}
	kept := make([]byte, 0, len(value))
	for ; at >= 0; at = strings.Index(value, member) {
		kept = append(kept, value[:at]...)
		if value = value[at:]; kept[len(kept)-1] == '\\' { // the end of another name, which has a quotation mark in it
			kept = append(kept, member...)
			value = value[len(member):]
			continue
		}
		value = value[skipValue(value, len(member)):]
		switch {
		case value[0] == ',':
			value = value[1:]
		case kept[len(kept)-1] == ',':
			kept = kept[:len(kept)-1]
		}
	}
	return string(append(kept, value...))
}
