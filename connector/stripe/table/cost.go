package table

// CostPer returns the objects for which the stream needs one request each, such as "customers". It returns "" for
// streams that are read in pages of a hundred, or along with another stream.
func (s *Stream) CostPer() string {
	switch {
	case s.Parent == "" || s.Inline || s.Single || s.Expand || s.Embedded != "":
		return ""
	case s.Across != "":
		return s.Parent + " × " + s.Across
	}
	return s.Parent
}

// Costly returns the names of the streams that need one request for each object of another stream. Commands skip them
// unless they are selected by name, since each would take hours for an account with a million customers.
func Costly() []string {
	var names []string
	streams := Known()
	for i := range streams {
		if streams[i].CostPer() != "" {
			names = append(names, streams[i].Name)
		}
	}
	return names
}
